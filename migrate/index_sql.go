package migrate

// indexTrigger is the name of the trigger on version tables.
const indexTrigger = "pgtenant_index"

// indexFunction is the trigger's function. Every change makes a new version of the entry, so that whoever has read
// the table before does not fill it in: an insert, and not an update, as a transaction with an older snapshot that does
// not see the entry must fail instead of passing it by. Many rows of one transaction make one.
const indexFunction = IndexSchema + ".changed()"

const indexFunctionBody = `
begin
	insert into pgtenant_index.versions as v (relid) values (tg_relid)
	on conflict (relid) do update set line = null
	where v.line is not null or v.xmin <> pg_current_xact_id()::xid;
	return null;
end`

const makeIndexSQL = `set local client_min_messages = warning;
	select pg_advisory_xact_lock(hashtextextended('pgtenant.index', 0));
	create schema if not exists pgtenant_index;
	create table if not exists pgtenant_index.lines (line uuid primary key, rows text not null);
	create table if not exists pgtenant_index.versions (
		relid oid primary key,
		filled xid,
		watch uuid,
		name name,
		until xid8,
		unwatched uuid,
		line uuid,
		schema name,
		proven pg_snapshot,
		namespace_oid oid, trigger_oid oid, truncate_oid oid,
		origin bigint,
		function tid, function_xmin xid,
		namespace tid, namespace_xmin xid,
		class tid, class_xmin xid,
		trigger tid, trigger_xmin xid,
		column1 tid, column2 tid, column3 tid, column4 tid, columns_xmin xid[]
	) with (fillfactor = 50);
	create table if not exists pgtenant_index.watch (
		id uuid primary key, proof text, made timestamptz not null, until xid8, awaited text[], ripe boolean not null default false
	);
	create table if not exists pgtenant_index.changes (object oid, at xid8 default pg_current_xact_id(), primary key (object, at));
	create index if not exists versions_schema_idx on pgtenant_index.versions (schema);
	delete from pgtenant_index.versions v where not exists (select from pg_class c where c.oid = v.relid)`

const makeIndexFunctionSQL = `create or replace function pgtenant_index.changed() returns trigger language plpgsql
	security definer set search_path = pg_catalog, pg_temp as $body$` + indexFunctionBody + `$body$`

// indexFunctionIs holds for the pg_proc row p of the trigger's function, as long as it is what it should be.
const indexFunctionIs = `p.oid = to_regprocedure('pgtenant_index.changed()') and p.prosrc = '` + indexFunctionBody + `' and p.prosecdef
	and p.proconfig = '{"search_path=pg_catalog, pg_temp"}' and p.prolang = (select oid from pg_language where lanname = 'plpgsql')
	and p.proowner = (select oid from pg_roles where rolname = current_user)`

// indexGrantsSQL returns the statements that take from others what default privileges have given them.
const indexGrantsSQL = `select format('revoke all on %s %s from %s', kind, name, case a.grantee when 0 then 'public' else a.grantee::regrole::text end)
	from (
		select 'schema' as kind, n.nspname::text as name, n.nspowner as owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) as acl
			from pg_namespace n where n.nspname = 'pgtenant_index'
		union all select 'table', c.oid::regclass::text, c.relowner, c.relacl
			from pg_class c where c.relnamespace = 'pgtenant_index'::regnamespace
				and c.relname in ('lines', 'versions', 'watch', 'changes')
		union all select 'function', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
			from pg_proc p where p.oid = 'pgtenant_index.changed()'::regprocedure
	) o cross join aclexplode(o.acl) a where a.grantee <> o.owner group by 1`

// indexSelf is what entries are compared with besides their own tables: one row, if the index is sound, and else none.
// It is another's, or others may write to it, or what the trigger writes may be swallowed: nothing in it is believed.
const indexSelf = `self as materialized (
		select p.ctid as function, p.xmin as function_xmin, pg_snapshot_xmax(pg_current_snapshot()) as now,
			(select system_identifier from pg_control_system()) as origin
		from pg_proc p where ` + indexFunctionIs + ` and 4 = (
			select count(*) from unnest('{lines,versions,watch,changes}'::text[]) name
				join pg_class c on c.oid = to_regclass('pgtenant_index.' || name)
			where c.relkind = 'r' and c.relpersistence = 'p' and c.relowner = p.proowner
				and not (c.relhasrules or c.relhastriggers or c.relhassubclass or c.relrowsecurity)
				and not exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner))
	)`

const indexSoundSQL = `with ` + indexSelf + ` select exists (select from self)`

// believeSQL returns the schemas of $1 whose entries can be believed, by their place in $1, for version tables called $2. Under
// the watch $3 it is asked for those only that cannot be watched: the others are to be read and proven under it.
// Each row version is looked up at its place, which costs less than an index, and whatever the planner thinks of the
// size of catalogs: "offset 0" keeps it from making joins of the lookups, and from expecting one row of so many conditions.
const believeSQL = `with ` + indexSelf + `
	select v.i, v.relid, v.line
	from (
		select s.i, v.xmin as made, v.* from unnest($1::text[]) with ordinality s (name, i)
		join pgtenant_index.versions v on v.schema = s.name::name offset 0
	) v cross join self
	where v.line is not null and v.made = v.filled and v.until > self.now and v.origin = self.origin
		and ($3::text is null or v.unwatched = $3::text::uuid)
		and v.function = self.function and v.function_xmin = self.function_xmin
		and exists (select from pg_class c where c.ctid = v.class and c.xmin = v.class_xmin and c.oid = v.relid and c.relname = $2::name offset 0)
		and exists (select from pg_namespace n where n.ctid = v.namespace and n.xmin = v.namespace_xmin and n.nspname = v.schema offset 0)
		and exists (select from pg_trigger t where t.ctid = v.trigger and t.xmin = v.trigger_xmin and t.tgrelid = v.relid offset 0)
		and exists (select from pg_attribute a where a.ctid = v.column1 and a.xmin = v.columns_xmin[1] and a.attrelid = v.relid offset 0)
		and exists (select from pg_attribute a where a.ctid = v.column2 and a.xmin = v.columns_xmin[2] and a.attrelid = v.relid offset 0)
		and exists (select from pg_attribute a where a.ctid = v.column3 and a.xmin = v.columns_xmin[3] and a.attrelid = v.relid offset 0)
		and exists (select from pg_attribute a where a.ctid = v.column4 and a.xmin = v.columns_xmin[4] and a.attrelid = v.relid offset 0)`

// indexTriggerIs holds for the pg_trigger row t of a trigger that fires for each row, always, unconditionally.
const indexTriggerIs = `t.tgname = '` + indexTrigger + `' and t.tgfoid = to_regprocedure('pgtenant_index.changed()') and t.tgenabled = 'A'
	and t.tgtype = 29 and t.tgqual is null and t.tgattr = '' and t.tgconstraint = 0 and t.tgnargs = 0`

// indexTruncateTriggerIs holds for the pg_trigger row u of a trigger that fires for each TRUNCATE.
const indexTruncateTriggerIs = `u.tgname = '` + indexTruncateTrigger + `' and u.tgfoid = to_regprocedure('pgtenant_index.changed()') and u.tgenabled = 'A'
	and u.tgtype = 32 and u.tgqual is null and u.tgconstraint = 0 and u.tgnargs = 0`

// uncoveredSQL returns the version tables among $1 that do not have the trigger, or both where they are to be watched ($2).
const uncoveredSQL = `select c.oid from unnest($1::oid[]) o (oid) join pg_class c on c.oid = o.oid
	where c.relkind = 'r' and not (exists (select from pg_trigger t where t.tgrelid = c.oid and ` + indexTriggerIs + `)
		and (not $2 or exists (select from pg_trigger u where u.tgrelid = c.oid and ` + indexTruncateTriggerIs + `)))`

// enterSQL makes the entries that are not there. It looks first, as an insert would wait for whoever is changing an entry.
const enterSQL = `insert into pgtenant_index.versions (relid) select o.oid from unnest('%s'::oid[]) o (oid)
	where not exists (select from pgtenant_index.versions v where v.relid = o.oid) on conflict do nothing`

// proveSQL writes down what the catalog has for the tables $1, before they are read. An entry that somebody is
// changing is left alone. What cannot be proven gets no entry: a table that has children or policies shows other
// rows than its own, and one that is not logged loses them in a crash. What can change when another object is altered cannot be
// watched: a table that is part of another, or is of a type, or has columns of one.
const proveSQL = `with ` + indexSelf + `, watch as materialized (
		select w.id from pgtenant_index.watch w where w.ripe and ` + watchHolds + `
	), proof as materialized (
		select c.oid, n.nspname, n.ctid as namespace, n.xmin as namespace_xmin, c.ctid as class, c.xmin as class_xmin,
			t.ctid as trigger, t.xmin as trigger_xmin, a.places, a.xmins,
			c.relname, n.oid as namespace_oid, t.oid as trigger_oid, u.oid as truncate_oid,
			u.oid is not null and c.reloftype = 0 and a.plain and not exists (select from pg_inherits i where i.inhrelid = c.oid) as watchable
		from unnest($1::oid[]) o (oid) join pg_class c on c.oid = o.oid join pg_namespace n on n.oid = c.relnamespace
		join pg_trigger t on t.tgrelid = c.oid and ` + indexTriggerIs + `
		left join pg_trigger u on u.tgrelid = c.oid and ` + indexTruncateTriggerIs + `
		cross join lateral (select array_agg(a.ctid order by attnum) as places, array_agg(a.xmin order by attnum) as xmins,
				bool_and(a.atttypid < 16384) as plain
			from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and a.attname in ('id', 'version_id', 'is_applied', 'tstamp')) a
		where c.relkind = 'r' and c.relpersistence = 'p' and not c.relhassubclass and not c.relrowsecurity and cardinality(a.places) = 4
	), free as materialized (
		select v.relid from pgtenant_index.versions v where v.relid = any($1::oid[]) for update skip locked
	)
	update pgtenant_index.versions v set line = null, filled = null, schema = proof.nspname, origin = self.origin,
		function = self.function, function_xmin = self.function_xmin, namespace = proof.namespace, namespace_xmin = proof.namespace_xmin,
		class = proof.class, class_xmin = proof.class_xmin, trigger = proof.trigger, trigger_xmin = proof.trigger_xmin,
		column1 = places[1], column2 = places[2], column3 = places[3], column4 = places[4], columns_xmin = xmins,
		name = proof.relname, namespace_oid = proof.namespace_oid, trigger_oid = proof.trigger_oid, truncate_oid = proof.truncate_oid,
		watch = case when proof.watchable then (select id from watch) end,
		unwatched = case when proof.truncate_oid is not null and not proof.watchable then (select id from watch) end, proven = pg_current_snapshot()
	from proof, free, self where v.relid = proof.oid and v.relid = free.relid
	returning v.relid, v.ctid::text, v.xmin::text`

// lineSQL makes a line, or repairs it.
const lineSQL = `insert into pgtenant_index.lines as l (line, rows) values ($1::text::uuid, $2)
	on conflict (line) do update set rows = excluded.rows where l.rows <> excluded.rows`

// fillSQL fills in what the tables $1 said, in entries that are still the versions $2, $3 that were written before they were read.
const fillSQL = `with free as materialized (
		select v.relid, e.line from unnest($1::oid[], $2::text[]::tid[], $3::text[]::xid[], $4::text[]::uuid[]) e (relid, place, made, line)
		join pgtenant_index.versions v on v.relid = e.relid and v.ctid = e.place and v.xmin = e.made for update of v skip locked
	)
	update pgtenant_index.versions v set line = free.line, filled = pg_current_xact_id()::xid,
		until = (pg_current_xact_id()::text::bigint + 2000000000)::text::xid8
	from free where v.relid = free.relid`
