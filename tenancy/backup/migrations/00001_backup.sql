-- +goose Up
-- One row for each tenant and kind of work: who is at it, and what came of it last. It outlives the tenant until it is pruned.
create table backup_runs (
	tenant_id bigint not null,
	kind text not null constraint backup_runs_kind_check check (kind in ('backup', 'verify')),
	schema_name text not null,
	-- The lease: who holds it works on the tenant until it ends.
	holder uuid,
	lease_until timestamptz,
	begun_at timestamptz not null,
	-- The last that ended. The slot is the moment for which it was due, of the last that was good.
	ended_at timestamptz,
	failures integer not null default 0, -- since the last that was good
	failure text not null default '' constraint backup_runs_failure_check check (char_length(failure) <= 2000),
	slot timestamptz,
	-- The last archive that was good, and when its snapshot was taken.
	name text not null default '',
	taken_at timestamptz,
	verified_at timestamptz,
	constraint backup_runs_pkey primary key (tenant_id, kind),
	constraint backup_runs_holder_check check ((holder is null) = (lease_until is null))
);

-- One row for each tenant that is being erased or was. What is to be looked for is noted before it is dropped.
create table backup_erasures (
	tenant_id bigint not null constraint backup_erasures_pkey primary key,
	slug text not null,
	actor text not null,
	schemas text[] not null, -- every one that the tenant ever had
	domains text[] not null,
	keep_archives interval not null,
	files text[] not null default '{}', -- of the store, noted before they are removed
	begun_at timestamptz not null default now(),
	certificate jsonb, -- null: it goes on
	archives_until timestamptz -- when archives that were kept have to go; null: there are none
);
create index backup_erasures_slug on backup_erasures (slug);
revoke all on backup_runs, backup_erasures from public;

-- +goose Down
drop table backup_erasures;
drop table backup_runs;
