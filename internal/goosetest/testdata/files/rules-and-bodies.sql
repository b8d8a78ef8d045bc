-- +goose Up
create table a (id int); create table b (id int); create rule r as on insert to a do also (insert into b values (new.id); insert into b values (-new.id));
insert into a values (7);
-- +goose StatementBegin
create function one(x int) returns int language sql begin atomic
  select 1;
  select case when x > 0 then (case x when 1 then 1 else 2 end) else 3 end as end;
end; create table c (id int default one(5));
insert into c default values;
create procedure two() language sql begin atomic insert into b values (2); insert into b values (3); end;
call two(); call two();
-- +goose StatementEnd
-- +goose Down
drop table c; drop procedure two(); drop function one(int); drop table a; drop table b;
