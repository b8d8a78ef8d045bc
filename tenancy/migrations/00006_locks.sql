-- +goose Up
-- Locks of tenants, the stock and schemas that are being built. They are rows and not advisory locks, because every role of a
-- database can take every advisory lock. A lock is its session's: the row of a session that has ended locks nothing.
create table registry_locks (
	key text not null constraint registry_locks_pkey primary key,
	pid integer not null,
	backend_start timestamptz not null,
	login oid not null,
	taken_at timestamptz not null default now()
);

-- +goose Down
drop table registry_locks;
