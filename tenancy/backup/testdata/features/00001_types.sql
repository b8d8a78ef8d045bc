-- +goose Up
create type mood as enum ('sad', 'ok', 'it''s "fine"');
create domain positive as int check (value > 0);
create domain short_list as text[] check (cardinality(value) < 10);
create type address as (street text, house int, tags text[]);
create type float_range as range (subtype = float8, subtype_diff = float8mi);
create text search configuration plain (copy = pg_catalog.simple);

-- +goose StatementBegin
create function is_short(text) returns boolean language sql immutable as 'select length($1) < 100';
-- +goose StatementEnd
