-- +goose Up
create table notes (body text not null);

-- +goose Down
drop table notes;
