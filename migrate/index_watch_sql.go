package migrate

// indexTruncateTrigger is the name of the second trigger on version tables: a trigger for each row does not see TRUNCATE.
const indexTruncateTrigger = "pgtenant_index_truncate"

// The event triggers, and the only commands after which what an entry says of a table, its schema or its triggers may be different.
// What is dropped is told for all commands. A view's or a sequence's may name a table, or its index.
const (
	watchAlterTrigger = "pgtenant_index_altered"
	watchDropTrigger  = "pgtenant_index_dropped"

	watchTags = `'ALTER TABLE', 'ALTER SCHEMA', 'CREATE TRIGGER', 'ALTER TRIGGER', 'ALTER EXTENSION', 'ALTER INDEX', 'ALTER VIEW',
		'ALTER SEQUENCE', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE', 'ALTER TYPE'`
)

const ours = `(t.tgname in ('` + indexTrigger + `', '` + indexTruncateTrigger + `') or t.tgfoid = to_regprocedure('pgtenant_index.changed()'))`

// makeWatchSQL makes the event triggers anew. What they note is an object: a table with our triggers, a schema, a trigger
// of ours that is gone, or 0 for anything, as an extension that moves takes its tables along. A table that becomes a partition
// is not named, its parent is. "offset 0" keeps each lookup one by index, whatever the planner expects.
const makeWatchSQL = `set local client_min_messages = warning;
	select pg_advisory_xact_lock(hashtextextended('pgtenant.index', 0));
	drop event trigger if exists ` + watchAlterTrigger + `;
	drop event trigger if exists ` + watchDropTrigger + `;
	create or replace function pgtenant_index.altered() returns event_trigger language plpgsql
	security definer set search_path = pg_catalog, pg_temp as $body$
begin
	if to_regclass('pgtenant_index.changes') is null then
		return; -- and so the watch is not believed
	end if;
	insert into pgtenant_index.changes (object)
	select distinct o.object from pg_event_trigger_ddl_commands() d cross join lateral (
		select case d.classid when 'pg_trigger'::regclass then (select t.tgrelid from pg_trigger t where t.oid = d.objid)
			when 'pg_extension'::regclass then 0 else d.objid end as object
		union all
		select i.inhrelid from pg_inherits i where i.inhparent = d.objid and d.classid = 'pg_class'::regclass offset 0
	) o
	where d.classid in ('pg_namespace'::regclass, 'pg_extension'::regclass) or d.classid in ('pg_class'::regclass, 'pg_trigger'::regclass)
		and exists (select from pg_trigger t where t.tgrelid = o.object and ` + ours + ` offset 0)
	on conflict do nothing;
end
$body$;
	create or replace function pgtenant_index.dropped() returns event_trigger language plpgsql
	security definer set search_path = pg_catalog, pg_temp as $body$
begin
	if to_regclass('pgtenant_index.changes') is null then
		return;
	end if;
	insert into pgtenant_index.changes (object)
	select distinct d.objid from pg_event_trigger_dropped_objects() d
	where d.classid = 'pg_trigger'::regclass and d.address_names[3] in ('` + indexTrigger + `', '` + indexTruncateTrigger + `')
		or d.classid = 'pg_class'::regclass and d.objsubid > 0
			and exists (select from pg_trigger t where t.tgrelid = d.objid and ` + ours + ` offset 0)
	on conflict do nothing;
end
$body$;
	revoke all on function pgtenant_index.altered(), pgtenant_index.dropped() from public;
	create event trigger ` + watchAlterTrigger + ` on ddl_command_end when tag in (` + watchTags + `) execute function pgtenant_index.altered();
	create event trigger ` + watchDropTrigger + ` on sql_drop execute function pgtenant_index.dropped();
	alter event trigger ` + watchAlterTrigger + ` enable always;
	alter event trigger ` + watchDropTrigger + ` enable always;
	delete from pgtenant_index.watch`

// watchProof names all that a watch consists of: a server that has not been stopped since, as event triggers do not fire in
// single-user mode, and the very row versions of the event triggers, their functions, the trigger's function, and the table they write to.
const watchProof = `(select concat_ws(' ', (select system_identifier from pg_control_system()), extract(epoch from pg_postmaster_start_time()),
		c.oid, c.ctid, c.xmin, f.oid, f.ctid, f.xmin,
		string_agg(concat_ws(' ', e.oid, e.ctid, e.xmin, p.oid, p.ctid, p.xmin), ' ' order by e.evtname))
	from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid, pg_class c, pg_proc f
	where e.evtname in ('` + watchAlterTrigger + `', '` + watchDropTrigger + `') and e.evtenabled = 'A'
		and c.oid = to_regclass('pgtenant_index.changes') and f.oid = to_regprocedure('pgtenant_index.changed()')
	group by c.oid, c.ctid, c.xmin, f.oid, f.ctid, f.xmin having count(*) = 2)`

// enterWatchSQL enters the watch that was just made.
const enterWatchSQL = `insert into pgtenant_index.watch (id, proof, made, until) values (gen_random_uuid(), ` + watchProof + `,
	clock_timestamp(), (pg_current_xact_id()::text::bigint + 2000000000)::text::xid8) returning id::text`

// watchHolds holds for the row w of a watch under which nothing can have happened unseen. From PostgreSQL 17 on a superuser can switch
// event triggers off; where that stands in a file, the file is read again, and the watch is older.
const watchHolds = `w.proof = ` + watchProof + ` and w.made > pg_conf_load_time() and w.until > pg_snapshot_xmax(pg_current_snapshot())
	and coalesce(current_setting('event_triggers', true), 'on') = 'on'
	and not exists (select from pg_db_role_setting s where array_to_string(s.setconfig, ' ') ~* '\mevent_triggers\M')`

// awaitedSQL enters who was at work when the watch began: a command that was under way does not know of it. It has to come after
// the commit that began it, by whom it was made.
const awaitedSQL = `update pgtenant_index.watch set awaited = array(
		select l.virtualxid from pg_locks l join pg_stat_activity a using (pid)
		where l.locktype = 'virtualxid' and l.pid <> pg_backend_pid() and a.backend_type <> 'autovacuum worker'
			and a.datid = (select oid from pg_database where datname = current_database())
	) where id = $1::text::uuid`

// What ripens a watch: all of those have ended, or are prepared transactions by now, which come second for that reason. Only what is
// read in a later statement is read under the watch.
const (
	endedSQL = `update pgtenant_index.watch set awaited = '{}' where awaited <> '{}'
		and not exists (select from pg_locks l where l.locktype = 'virtualxid' and l.virtualxid = any(awaited))`
	ripeSQL = `update pgtenant_index.watch set ripe = true where awaited = '{}' and not ripe
		and not exists (select from pg_prepared_xacts p where p.database = current_database())`
)

// watchStateSQL returns the watch that holds, who made it having come to the end, and whether it is ripe.
const watchStateSQL = `select w.id::text, w.ripe from pgtenant_index.watch w where w.awaited is not null and ` + watchHolds

// concernedSQL returns the entries with which something has happened since they were proven.
const concernedSQL = `select v.relid from pgtenant_index.versions v
	cross join lateral (values (v.relid), (v.namespace_oid), (v.trigger_oid), (v.truncate_oid), (0::oid)) o (object)
	join pgtenant_index.changes c on c.object = o.object and not pg_visible_in_snapshot(c.at, v.proven)
	where v.watch is not null and (select true from pgtenant_index.changes limit 1)`

// answerSQL returns all that the index can answer for by itself, for version tables called $1: their schemas, the tables, the line that most may
// have, those that have another with it, those that something has happened to, how many such tables there are, and how many changes were
// noted. One row costs a third of many, and each condition on ten thousand entries counts: an entry that has no line is not as it was filled in.
const answerSQL = `with ` + indexSelf + `, watch as materialized (
		select w.id from pgtenant_index.watch w, self where w.ripe and ` + watchHolds + `
	), usual as materialized (
		select v.line from pgtenant_index.versions v where v.watch = (select id from watch) and v.xmin = v.filled limit 1
	)
	select coalesce(string_agg(v.schema::text, ','), ''), coalesce(array_agg(v.relid), '{}'), (select line from usual),
		coalesce(array_agg(v.relid) filter (where v.line <> (select line from usual)), '{}'),
		coalesce(array_agg(v.line) filter (where v.line <> (select line from usual)), '{}'),
		array(` + concernedSQL + `), (
			select count(*) from pg_class c where c.relname = $1::name and c.relnamespace <> (select oid from pg_namespace where nspname = 'public')
		), (select count(*) from pgtenant_index.changes)
	from pgtenant_index.versions v
	where v.watch = (select id from watch) and v.xmin = v.filled and v.name = $1::name`

// tidyLock is held by all who prove entries, shared, and by who forgets changes: one that an entry in the making does not know of is kept.
const tidyLock = "hashtextextended('pgtenant.index.changes', 0)"

// Changes are forgotten when what they concern is not believed any more. An entry that somebody is changing waits for the next time,
// and so do all changes.
const (
	takeBackSQL = `update pgtenant_index.versions set line = null, watch = null where relid in (
		select relid from pgtenant_index.versions where relid in (` + concernedSQL + `) for update skip locked)`
	forgetSQL = `delete from pgtenant_index.changes where not exists (` + concernedSQL + `)`
)
