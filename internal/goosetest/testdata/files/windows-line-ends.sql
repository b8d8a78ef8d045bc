-- +goose Up
create table t (
  id int, -- it is
  s text default 'a
b'
); insert into t values (1); -- two;
-- +goose StatementBegin
insert into t values (2, E'x'
  'y\';');
insert into t values (3);
-- +goose StatementEnd
-- +goose Down
drop table t;
