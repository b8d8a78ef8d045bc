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
revoke all on backup_runs from public;

-- +goose Down
drop table backup_runs;
