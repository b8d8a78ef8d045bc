-- +goose Up
-- A pooler keeps a session for its next client, and resets it: so who has a lock holds an advisory lock, too, whose key nobody
-- can know before. A lock that was taken before this migration is free.
alter table registry_locks add column mark bigint not null default ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint;

-- +goose Down
alter table registry_locks drop column mark;
