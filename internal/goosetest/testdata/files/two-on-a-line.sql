-- +goose Up
create table a (id int); create table b (id int); -- both;
insert into a values (1); insert into b values (2); insert into b select id + 1 from b;
-- +goose Down
drop table b; drop table a;
