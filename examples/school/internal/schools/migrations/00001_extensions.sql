-- +goose Up
-- Addresses are compared in any case wherever they are, and not only where somebody thinks of lower(). Both types are the
-- same bytes, so that no row is written again.
alter table users alter column email type citext;

-- For names that are typed wrong: the nearest ones come out of the index in order.
create index students_name_near on students using gist ((first_name || ' ' || last_name) gist_trgm_ops);

-- +goose Down
drop index students_name_near;
alter table users alter column email type text;
