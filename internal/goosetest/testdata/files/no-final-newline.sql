-- +goose Up
create table t (id int); insert into t values (1);
-- +goose Down
drop table t; select 1;