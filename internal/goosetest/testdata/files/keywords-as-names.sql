-- +goose Up
create table atomic (begin int, "end" int, stdin text, "case" int);
insert into atomic (begin, "end", stdin) values (1, 2, 'stdin'); insert into atomic (begin) values (3);
create view copy as select begin as end, "case" as case from atomic; create view v2 as select copy.end, copy.case from copy;
-- +goose Down
drop view v2; drop view copy; drop table atomic;
