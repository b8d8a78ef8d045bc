-- +goose Up
-- +goose StatementBegin
-- +goose StatementEnd
  
create table t (id int);
-- +goose Down
drop table t;
