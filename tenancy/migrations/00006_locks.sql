-- +goose Up
-- Locks of tenants, the stock and schemas that are being built. They are rows and not advisory locks, because every role of a
-- database can take every advisory lock. A lock is its session's: the row of a session that has ended locks nothing. A pooler keeps
-- a session for its next client, and resets it: so the session has an advisory lock, too, whose key nobody can know before.
create table registry_locks (
	key text not null constraint registry_locks_pkey primary key,
	pid integer not null,
	backend_start timestamptz not null,
	login oid not null,
	mark bigint not null default ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint, -- that advisory lock's key
	taken_at timestamptz not null default now()
);

-- +goose Down
drop table registry_locks;
