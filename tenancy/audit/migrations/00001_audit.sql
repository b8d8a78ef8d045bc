-- +goose Up
-- One row for each entry. A chain is what one process has written in one month, so that it lies in one partition: position
-- counts its rows of all tenants, seq those of one. The hash covers the row, its place and the hash before it of the same
-- tenant. What writers may not set is received. What a program could not read again (infinity, a network for an address,
-- details that are no object) is refused: one such row would keep all others from being read.
create table audit_log (
	month date not null constraint audit_log_month_check
		check (month between '0001-01-01' and '9999-12-01' and date_part('day', month) = 1),
	chain uuid not null,
	position bigint not null constraint audit_log_position_check check (position > 0),
	tenant_id bigint not null constraint audit_log_tenant_id_check check (tenant_id >= 0), -- outlives the tenant; 0: the platform
	seq bigint not null constraint audit_log_seq_check check (seq > 0),
	at timestamptz not null constraint audit_log_at_check
		check (at between '0001-01-01 00:00:00+00' and '9999-12-31 23:59:59.999999+00'),
	action text not null constraint audit_log_action_check check (char_length(action) between 1 and 64),
	actor text not null constraint audit_log_actor_check check (char_length(actor) <= 200),
	slug text not null constraint audit_log_slug_check check (char_length(slug) <= 200),
	schema_name text not null constraint audit_log_schema_name_check check (char_length(schema_name) <= 200),
	ip inet constraint audit_log_ip_check check (masklen(ip) = case family(ip) when 4 then 32 else 128 end),
	request_id text not null constraint audit_log_request_id_check check (char_length(request_id) <= 200),
	details jsonb not null constraint audit_log_details_check 
		check (jsonb_typeof(details) = 'object' and pg_column_size(details) <= 65536),
	hash bytea not null constraint audit_log_hash_check check (octet_length(hash) = 32),
	received timestamptz not null default now(),
	constraint audit_log_pkey primary key (chain, position, month)
) partition by range (month);
create index audit_log_tenant on audit_log (tenant_id, at);
create index audit_log_at on audit_log using brin (at);
create table audit_log_default partition of audit_log default;

-- How far a chain had come, with the digest of all of its rows: a row that is missing at the end is missed.
create table audit_heads (
	chain uuid not null,
	position bigint not null constraint audit_heads_position_check check (position > 0),
	month date not null constraint audit_heads_month_check
		check (month between '0001-01-01' and '9999-12-01' and date_part('day', month) = 1),
	digest bytea not null constraint audit_heads_digest_check check (octet_length(digest) = 32),
	received timestamptz not null default now(),
	constraint audit_heads_pkey primary key (chain, position)
);

-- The last row of each tenant's chain of entries that are written in somebody's transaction.
create table audit_ledger (
	tenant_id bigint not null constraint audit_ledger_pkey primary key
		constraint audit_ledger_tenant_id_check check (tenant_id >= 0),
	chain uuid,
	month date,
	position bigint not null default 0,
	hash bytea,
	digest bytea
);

-- What is left of chains that retention has removed.
create table audit_checkpoints (
	chain uuid not null constraint audit_checkpoints_pkey primary key,
	month date not null,
	position bigint not null,
	digest bytea not null,
	mac bytea not null,
	removed_at timestamptz not null default now()
);

-- Locks the tenant's ledger until the end of the transaction and says where it stands.
-- +goose StatementBegin
create function audit_tip(tenant bigint) returns audit_ledger
	language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
	tip public.audit_ledger;
begin
	insert into public.audit_ledger (tenant_id) values (tenant) on conflict do nothing;
	select * into strict tip from public.audit_ledger l where l.tenant_id = tenant for update;
	return tip;
end
$$;
-- +goose StatementEnd

-- Adds a row to the tenant's ledger, behind its last one or as the first of another chain.
-- +goose StatementBegin
create function audit_append(
	tenant bigint, in_month date, in_chain uuid, pos bigint, at timestamptz, action text, actor text, slug text, schema_name text,
	ip inet, request_id text, details jsonb, hash bytea, digest bytea
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
	update public.audit_ledger l
		set chain = in_chain, month = in_month, position = pos, hash = audit_append.hash, digest = audit_append.digest
		where l.tenant_id = tenant and (l.chain = in_chain and l.month = in_month and l.position = pos - 1
			or l.chain is distinct from in_chain and pos = 1);
	if not found then
		raise exception 'entry % of chain % is not the next of tenant %', pos, in_chain, tenant using errcode = 'serialization_failure';
	end if;
	insert into public.audit_log (month, chain, position, tenant_id, seq, at, action, actor, slug, schema_name, ip, request_id, details, hash)
		values (in_month, in_chain, pos, tenant, pos, at, action, actor, slug, schema_name, ip, request_id, details, hash);
end
$$;
-- +goose StatementEnd

revoke all on audit_log, audit_log_default, audit_heads, audit_ledger, audit_checkpoints from public;
revoke all on function audit_tip(bigint) from public;
revoke all on function audit_append(bigint, date, uuid, bigint, timestamptz, text, text, text, text, inet, text, jsonb, bytea, bytea) from public;

-- +goose Down
drop function audit_append(bigint, date, uuid, bigint, timestamptz, text, text, text, text, inet, text, jsonb, bytea, bytea);
drop function audit_tip(bigint);
drop table audit_checkpoints;
drop table audit_ledger;
drop table audit_heads;
drop table audit_log;
