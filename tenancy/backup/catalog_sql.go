package backup

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// settingsOf returns sessionSQL. On PostgreSQL 17 and newer it also disables transaction_timeout.
func settingsOf(pg *pgconn.PgConn) string {
	version := pg.ParameterStatus("server_version")
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	if major, err := strconv.Atoi(version[:end]); err != nil || major < 17 {
		return sessionSQL
	}
	return "set local transaction_timeout = 0; " + sessionSQL
}

// sessionSQL makes the text of values independent of the server's configuration, so that backup and
// restore read the same text; see FORMAT.md. None of these statements takes the transaction's
// snapshot, which must be taken after the locks.
//
// An empty search path makes the server qualify every name. row_security = off makes it return an
// error instead of hiding rows.
const sessionSQL = `set local search_path = pg_catalog;
	set local row_security = off;
	set local statement_timeout = 0;
	set local idle_in_transaction_session_timeout = 0;
	set local synchronize_seqscans = off;
	set local max_parallel_workers_per_gather = 0;
	set local client_encoding = 'UTF8';
	set local timezone = 'UTC';
	set local datestyle = 'ISO, YMD';
	set local intervalstyle = 'postgres';
	set local extra_float_digits = 3;
	set local bytea_output = 'hex';
	set local lc_monetary = 'C';
	set local xmloption = 'content';
	set local standard_conforming_strings = on;
	set local quote_all_identifiers = off`

// planSQL makes the planner use indexes on catalogs for which it may have no statistics. It also
// makes it plan a query once per connection: planning the query for the structure takes longer than
// running it. The settings are reverted before rows are read.
const planSQL = `set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off;
	set local jit = off; set local plan_cache_mode = force_generic_plan`

// lockableSQL reads the tables of a schema that have to be locked. Partitions are locked with their
// partitioned table. It goes through pg_depend, because no index of pg_class begins with the
// schema.
const lockableSQL = `select c.relname::text from pg_namespace n
	join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
		and d.classid = 'pg_class'::regclass and d.objsubid = 0
	join pg_class c on c.oid = d.objid
	where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
	order by c.oid`

// snapshotInfoSQL reads the snapshot's time and id, properties of the server and the login, and the
// OID of the schema $1, 0 if it does not exist.
const snapshotInfoSQL = `select clock_timestamp(), pg_current_snapshot()::text,
	current_setting('server_version'), current_setting('server_encoding'),
	(select rolsuper or rolbypassrls from pg_roles where rolname = current_user),
	coalesce((select oid from pg_namespace where nspname = $1), 0)`

// relationsSQL reads the relations of the schema with the OID $1, including partitions and those
// that belong to an extension.
const relationsSQL = `select c.oid, c.relname::text, c.relkind::text, c.relpersistence = 'u',
	c.relispartition, c.relispopulated,
	c.relrowsecurity and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'usage')),
	(select x.extname::text from pg_depend e join pg_extension x on x.oid = e.refobjid
		where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e'
		and e.refclassid = 'pg_extension'::regclass),
	exists (select from pg_inherits i join pg_class k on k.oid = i.inhrelid
			where i.inhparent = c.oid and c.relkind = 'p' and k.relnamespace <> c.relnamespace)
		or c.relispartition and exists (select from pg_inherits i join pg_class p on p.oid = i.inhparent
			where i.inhrelid = c.oid and p.relnamespace <> c.relnamespace),
	coalesce(o.relname::text, ''), coalesce(o.attname::text, ''), coalesce(o.deptype = 'i', false)
	from pg_depend d join pg_class c on c.oid = d.objid
	left join lateral (
		select t.relname, a.attname, own.deptype from pg_depend own join pg_class t on t.oid = own.refobjid
		join pg_attribute a on a.attrelid = t.oid and a.attnum = own.refobjsubid
		where c.relkind = 'S' and own.classid = 'pg_class'::regclass and own.objid = c.oid and own.objsubid = 0
		and own.refclassid = 'pg_class'::regclass and own.refobjsubid > 0 and own.deptype in ('a', 'i') limit 1
	) o on true
	where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1
	and d.classid = 'pg_class'::regclass and d.objsubid = 0
	and c.relkind in ('r', 'p', 'f', 'm', 'S')
	order by c.relname collate "C"`

// columnsSQL reads the columns of the tables $1, in order.
const columnsSQL = `select a.attrelid, a.attname::text, a.atttypid, format_type(a.atttypid, a.atttypmod),
		a.attgenerated::text, a.attidentity::text
	from unnest($1::oid[]) with ordinality as t (oid, n)
	join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
	order by t.n, a.attnum`

// unportableTypesSQL finds those of the types $1 whose values have a meaning in this database only,
// or cannot be read from text at all. It also finds them inside an array, a domain, a range or a
// composite type.
const unportableTypesSQL = `with recursive used (root, oid) as (
		select t, t from unnest($1::oid[]) t
		union
		select used.root, x.oid from used join pg_type t on t.oid = used.oid cross join lateral (
			select t.typelem where t.typcategory = 'A'
			union all select t.typbasetype where t.typtype = 'd'
			union all select rngsubtype from pg_range where rngtypid = t.oid and t.typtype = 'r'
			union all select rngtypid from pg_range where rngmultitypid = t.oid and t.typtype = 'm'
			union all select a.atttypid from pg_attribute a
				where a.attrelid = t.typrelid and t.typrelid <> 0 and a.attnum > 0 and not a.attisdropped
		) x (oid) where x.oid <> 0
	)
	select distinct on (used.root) used.root, t.typname::text from used join pg_type t on t.oid = used.oid
	where t.typnamespace = 'pg_catalog'::regnamespace and t.typname in ('oid', 'regclass', 'regcollation', 'regconfig',
		'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure', 'regrole', 'regtype',
		'regdatabase', 'pg_node_tree', 'pg_ndistinct', 'pg_dependencies', 'pg_mcv_list', 'pg_brin_bloom_summary',
		'pg_brin_minmax_multi_summary', 'gtsvector', 'aclitem', 'refcursor')
	order by used.root, t.typname`

// extensionsSQL reads the extensions in the schema with the OID $1.
const extensionsSQL = `select x.extname::text from pg_depend d join pg_extension x on x.oid = d.objid
	where d.refclassid = 'pg_namespace'::regclass and d.refobjid = $1
	and d.classid = 'pg_extension'::regclass order by 1`
