-- +goose Up
-- Every role can fill the queue of notifications, which is the cluster's. The COMMIT of a transaction that notifies fails then
-- (54000). So the registry is written without a notification while the queue fills up; directories find the change when they
-- read everything again.
-- +goose StatementBegin
create or replace function registry_notify() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
	if pg_notification_queue_usage() > 0.25 then
		return null;
	end if;
	if tg_table_name = 'tenants' then
		perform pg_notify('pgtenant_registry', coalesce(new.id, old.id)::text);
	else
		if tg_op <> 'INSERT' then
			perform pg_notify('pgtenant_registry', old.tenant_id::text);
		end if;
		if tg_op <> 'DELETE' then
			perform pg_notify('pgtenant_registry', new.tenant_id::text);
		end if;
	end if;
	return null;
end
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
create or replace function registry_notify() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
	if tg_table_name = 'tenants' then
		perform pg_notify('pgtenant_registry', coalesce(new.id, old.id)::text);
	else
		if tg_op <> 'INSERT' then
			perform pg_notify('pgtenant_registry', old.tenant_id::text);
		end if;
		if tg_op <> 'DELETE' then
			perform pg_notify('pgtenant_registry', new.tenant_id::text);
		end if;
	end if;
	return null;
end
$$;
-- +goose StatementEnd
