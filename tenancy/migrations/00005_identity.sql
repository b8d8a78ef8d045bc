-- +goose Up
-- The identity of this registry, one row: what the registry keeps outside of the database, such as backups, is bound to it.
create table registry_identity (
	id uuid not null constraint registry_identity_pkey primary key default gen_random_uuid(),
	made_at timestamptz not null default now(),
	one boolean not null default true constraint registry_identity_one unique constraint registry_identity_one_check check (one)
);
insert into registry_identity default values;

-- +goose Down
drop table registry_identity;
