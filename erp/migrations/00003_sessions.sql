-- +goose Up
-- A session carries the generation of its user; one of another generation is over.
alter table users
	add column session_generation bigint not null default 0,
	add column disabled_at timestamptz; -- not null: may not log in

-- +goose Down
alter table users drop column session_generation, drop column disabled_at;
