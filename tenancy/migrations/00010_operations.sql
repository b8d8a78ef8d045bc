-- +goose Up
-- Operations on tenants that have begun and not ended. Programs of earlier releases name the columns that are dropped here
-- in each operation on a tenant: their operations fail from now on, also those that are under way, and a later
-- Resume goes on with these.

-- An operation of an earlier release commits before this, or fails: none can begin after the rows below were read.
lock table tenants, side_schemas in access exclusive mode;

-- Only one of the two operations can have the row, and both have to end.
-- +goose StatementBegin
do $$
declare
	slugs text;
begin
	select string_agg(slug, ', ' order by slug) into slugs from tenants t where next_schema <> '' and status <> 'dropping'
		and exists (select from side_schemas s where s.tenant_id = t.id and s.state = 'aside' and (s.reopen or t.status <> 'active'));
	if slugs is not null then
		raise exception 'a rename and a replacement of the schema have not ended: tenants %', slugs
			using hint = 'End the rename of each of them with Resume of the previous release, and then migrate again.';
	end if;
end
$$;
-- +goose StatementEnd

create table registry_operations (
	tenant_id bigint not null constraint registry_operations_pkey primary key
		constraint registry_operations_tenant_id_fkey references tenants (id) on delete cascade,
	operation text not null,
	step text not null, -- the next to run
	failure text not null default '', -- what stopped the last attempt
	actor text not null default '',
	arguments jsonb not null default '{}' constraint registry_operations_arguments_check check (jsonb_typeof(arguments) = 'object'),
	began_at timestamptz not null default now()
);

insert into registry_operations (tenant_id, operation, step, failure, arguments)
select distinct on (id) id, operation, step, failure, arguments from (
	select id, 1 as preferred, 'drop' as operation, 'schema' as step, failure, '{}'::jsonb as arguments from tenants where status = 'dropping'
	union all
	select id, 2, 'create', 'schema', failure, '{}' from tenants where status = 'provisioning'
	union all
	select id, 2, 'stock', 'schema', failure, '{}' from tenants where status = 'stocked' and stock_version = ''
	union all
	select id, 3, 'rename', 'schema', '', jsonb_build_object('schema', next_schema) from tenants where next_schema <> ''
	union all
	-- The exchange of the schemas may not have ended. To end it again changes nothing.
	select tenant_id, 4, 'replace schema', 'open', '', case when reopen then '{"reopen": true}' else '{}' end::jsonb || jsonb_build_object('schema', s.schema_name)
	from side_schemas s join tenants t on t.id = tenant_id where state = 'aside' and (reopen or t.status <> 'active')
	union all
	select tenant_id, 5, 'confirm replacement', 'drop', '', jsonb_build_object('schema', s.schema_name)
	from side_schemas s join tenants t on t.id = tenant_id where state = 'dropping' and used
) under_way order by id, preferred;

alter table tenants drop column failure, drop column next_schema;
alter table side_schemas drop column state, drop column reopen;

-- +goose Down
alter table side_schemas
	add column state text not null default 'building' constraint side_schemas_state_check check (state in ('building', 'aside', 'dropping')),
	add column reopen boolean not null default false;
-- Of several retained schemas of a tenant only one can be aside: the newest that is not being dropped.
update side_schemas s set
	state = case when not used then 'building' when id in (select distinct on (r.tenant_id) r.id from side_schemas r where r.used
		and not exists (select from registry_operations o where o.tenant_id = r.tenant_id
			and o.operation = 'confirm replacement' and o.arguments->>'schema' = r.schema_name)
		order by r.tenant_id, r.since desc, r.id desc) then 'aside' else 'dropping' end,
	reopen = used and exists (select from registry_operations o where o.tenant_id = s.tenant_id and o.arguments ? 'reopen');
alter table side_schemas alter column state drop default;
create unique index side_schemas_one_aside on side_schemas (tenant_id) where state = 'aside';
alter table tenants
	add column failure text not null default '',
	add column next_schema text not null default '';
update tenants t set failure = o.failure,
	next_schema = case when o.operation = 'rename' then o.arguments->>'schema' else '' end
from registry_operations o where o.tenant_id = t.id;
drop table registry_operations;
