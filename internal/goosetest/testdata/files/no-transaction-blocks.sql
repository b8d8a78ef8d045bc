-- +goose NO TRANSACTION
-- +goose Up
create table t (id int);
create index concurrently t_id on t (id);
-- +goose StatementBegin
lock table t in exclusive mode;
insert into t values (1);
insert into t select id + 1 from t;
-- +goose StatementEnd
vacuum t;
begin;
insert into t values (8);
rollback;
begin; insert into t values (9); commit;
-- +goose Down
drop table t;
