-- +goose Up
-- +goose StatementBegin
create table t (id int primary key, s text);
insert into t values (1, 'a;');
insert into t values (2, 'b')
-- +goose StatementEnd
-- +goose StatementBegin
insert into t select 3, s from t where id = 1;
;;
create view v as select * from t; -- the end
-- +goose StatementEnd
-- +goose Down
drop view v;
drop table t;
