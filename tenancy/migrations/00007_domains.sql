-- +goose Up
-- A tenant needs no domain: it can be found by its slug below a base domain, by a header, or by the metadata of a call. One
-- that has domains has a primary one, and does not lose it; the index domains_one_primary allows no second.
-- +goose StatementBegin
create or replace function registry_check_primary() returns trigger language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
	ids bigint[];
	had bigint; -- the tenant that had the domain as its primary one
begin
	if tg_table_name = 'tenants' then
		ids := array[new.id];
	else
		ids := array[old.tenant_id];
		if old.is_primary then
			had := old.tenant_id;
		end if;
		if tg_op = 'UPDATE' then
			ids := ids || new.tenant_id;
		end if;
	end if;
	if exists (select from public.tenants t where t.id = any (ids) and t.status not in ('stocked', 'dropping')
			and (t.id = had or exists (select from public.domains d where d.tenant_id = t.id and d.verified_at is not null))
			and not exists (select from public.domains d where d.tenant_id = t.id and d.is_primary)) then
		raise exception 'a tenant of % would have no primary domain', ids
			using errcode = 'check_violation', constraint = 'domains_has_primary';
	end if;
	return null;
end
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
create or replace function registry_check_primary() returns trigger language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
	tenant bigint;
begin
	if tg_table_name = 'tenants' then
		tenant := new.id;
	elsif tg_op = 'INSERT' then
		return null;
	else
		tenant := old.tenant_id;
	end if;
	if exists (select from public.tenants t where t.id = tenant and t.status not in ('stocked', 'dropping')
			and not exists (select from public.domains d where d.tenant_id = t.id and d.is_primary)) then
		raise exception 'tenant % would have no primary domain', tenant
			using errcode = 'check_violation', constraint = 'domains_has_primary';
	end if;
	return null;
end
$$;
-- +goose StatementEnd
