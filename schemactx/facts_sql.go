package schemactx

import "strings"

// fingerprintSQL returns a value that changes when functions, views, rules, policies, operators,
// casts, checks of domains or schemas are created or dropped. It counts rows, because transactions
// may commit in another order than they were given object ids. It does not change when an object is
// replaced in place, as by CREATE OR REPLACE VIEW.
//
// If the counts differ from $1, it also returns the counts for the schemas with an object id up to
// $2, the same up to $3 if $3 differs from $2, and the names of the schemas above $2. A schema that
// is being created does not change the counts up to $2. The last columns are the highest object id
// of a schema and the duration of the query in milliseconds.
var fingerprintSQL = `
	with seen as materialized (
		select pg_catalog.concat_ws(' ',
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_proc),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_rewrite),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_policy),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_operator),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_cast),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_constraint where conrelid = 0),
			(select pg_catalog.count(*) || '/' || pg_catalog.sum(pg_catalog.hashtext(oid || '.' || nspname))
				from pg_catalog.pg_namespace)
		) as counts
	)
	select counts,
		case when counts is distinct from $1::text then ` + countsUpTo("$2") + ` end,
		case when counts is distinct from $1::text and $3::oid <> $2::oid then ` + countsUpTo("$3") + ` end,
		case when counts is distinct from $1::text then
			(select pg_catalog.json_agg(nspname::text) from pg_catalog.pg_namespace where oid > $2::oid) end,
		(select pg_catalog.max(oid) from pg_catalog.pg_namespace),
		(extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp()) * 1000)::float8
	from seen`

// countsUpTo returns the SQL expression for the counts of objects in schemas with an object id up
// to param. A cast belongs to the newer one of the schemas of its two types.
func countsUpTo(param string) string {
	return strings.ReplaceAll(`pg_catalog.concat_ws(' ',
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_proc where pronamespace <= LAST),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_rewrite
				where (select c.relnamespace from pg_catalog.pg_class c where c.oid = ev_class) <= LAST),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_policy
				where (select c.relnamespace from pg_catalog.pg_class c where c.oid = polrelid) <= LAST),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_operator where oprnamespace <= LAST),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_cast
				where (select pg_catalog.max(t.typnamespace) from pg_catalog.pg_type t
					where t.oid in (castsource, casttarget)) <= LAST),
			(select pg_catalog.count(*) || '/' || pg_catalog.max(oid) from pg_catalog.pg_constraint
				where conrelid = 0 and (select t.typnamespace from pg_catalog.pg_type t where t.oid = contypid) <= LAST),
			(select pg_catalog.count(*) || '/' || pg_catalog.sum(pg_catalog.hashtext(oid || '.' || nspname))
				from pg_catalog.pg_namespace where oid <= LAST))`, "LAST", param+"::oid")
}

// factsSQL returns, for each existing schema, whether a read and whether a write there may run a
// function that leaves session state, and the duration of the query in milliseconds.
//
// It starts from the objects in the schema. It follows pg_depend to what belongs to them (rules of
// views, policies, defaults, checks, triggers, casts) and to what these use, in any schema. The
// functions that it finds are of three kinds:
//
//   - A user's function counts unless it is immutable. PostgreSQL does not verify that label. So
//     the text of an immutable function is searched for what a function needs to change the session
//     or to call functions that pg_depend does not list.
//   - A function of an extension counts if it is volatile and not known to leave nothing.
//   - A built-in function counts by the same rule. pg_depend has no rows for built-in functions, so
//     the expressions are searched for their object ids.
//
// Trigger functions, defaults and checks of tables run in writes only. An immutable function of an
// expression index or a partition key is examined in the schema that contains the function.
const factsSQL = `
	with recursive root as (
		select oid, nspname from pg_catalog.pg_namespace where nspname = any ($1::name[])
	), reach(root, class, obj, read) as (
		select n.oid, d.classid, d.objid, true
		from root n join pg_catalog.pg_depend d
			on d.refclassid = 'pg_catalog.pg_namespace'::regclass and d.refobjid = n.oid
		where d.classid not in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
			or not exists (select from pg_catalog.pg_depend e
				where e.classid = d.classid and e.objid = d.objid and e.deptype = 'e')
		union
		select r.root, s.class, s.obj, r.read and s.read
		from reach r cross join lateral (
			select d.classid, d.objid, case d.classid
				when 'pg_catalog.pg_rewrite'::regclass then exists (
					select from pg_catalog.pg_rewrite w where w.oid = d.objid and w.ev_type = '1')
				when 'pg_catalog.pg_attrdef'::regclass then exists (
					select from pg_catalog.pg_attrdef f
					join pg_catalog.pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
					where f.oid = d.objid and a.attgenerated = 'v')
				when 'pg_catalog.pg_constraint'::regclass then r.class = 'pg_catalog.pg_type'::regclass
				else d.classid <> 'pg_catalog.pg_trigger'::regclass end
			from pg_catalog.pg_depend d
			where r.class in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_type'::regclass)
				and d.refclassid = r.class and d.refobjid = r.obj
				and case d.classid
					when 'pg_catalog.pg_rewrite'::regclass then d.deptype in ('i', 'a')
					when 'pg_catalog.pg_policy'::regclass then d.deptype = 'a'
					when 'pg_catalog.pg_attrdef'::regclass then d.deptype = 'a'
					when 'pg_catalog.pg_cast'::regclass then true
					when 'pg_catalog.pg_type'::regclass then d.deptype = 'i' -- the type of rows, and arrays
					when 'pg_catalog.pg_class'::regclass then d.deptype = 'i' -- the columns of a composite type
						and d.refclassid = 'pg_catalog.pg_type'::regclass
					when 'pg_catalog.pg_constraint'::regclass then d.deptype = 'a' and exists (
						select from pg_catalog.pg_constraint c where c.oid = d.objid and c.contype = 'c')
					when 'pg_catalog.pg_trigger'::regclass then d.deptype = 'a' and exists (
						select from pg_catalog.pg_trigger t where t.oid = d.objid and not t.tgisinternal)
					else false end
			union all
			select d.refclassid, d.refobjid, true
			from pg_catalog.pg_depend d
			where d.classid = r.class and d.objid = r.obj
				and (d.deptype = 'n' or d.deptype = 'i' and r.class = 'pg_catalog.pg_type'::regclass)
				and d.refclassid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_type'::regclass,
					'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
		) as s(class, obj, read)
	), builtin as materialized (
		select oid, proname from pg_catalog.pg_proc
		where oid < 16384 and case provolatile when 'v'
			then proname !~ '` + harmlessVolatile + `' else proname like '%to\_xml%' end
	), tree(root, read, tree) as ( -- the expressions, as PostgreSQL keeps them
		select r.root, r.read, pg_catalog.concat_ws(' ', w.ev_qual, w.ev_action)
		from reach r join pg_catalog.pg_rewrite w on w.oid = r.obj where r.class = 'pg_catalog.pg_rewrite'::regclass
		union all
		select r.root, r.read, pg_catalog.concat_ws(' ', p.polqual, p.polwithcheck)
		from reach r join pg_catalog.pg_policy p on p.oid = r.obj where r.class = 'pg_catalog.pg_policy'::regclass
		union all
		select r.root, r.read, d.adbin::text
		from reach r join pg_catalog.pg_attrdef d on d.oid = r.obj where r.class = 'pg_catalog.pg_attrdef'::regclass
		union all
		select r.root, r.read, c.conbin::text
		from reach r join pg_catalog.pg_constraint c on c.oid = r.obj where r.class = 'pg_catalog.pg_constraint'::regclass
		union all
		select r.root, false, t.typdefaultbin::text
		from reach r join pg_catalog.pg_type t on t.oid = r.obj where r.class = 'pg_catalog.pg_type'::regclass
	), found(root, read) as (
		select r.root, r.read and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
		from reach r join pg_catalog.pg_proc p on p.oid = r.obj join pg_catalog.pg_language l on l.oid = p.prolang
		where r.class = 'pg_catalog.pg_proc'::regclass and case
			when exists (select from pg_catalog.pg_depend e
				where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
				then p.provolatile = 'v' and p.proname !~ '` + harmlessVolatile + `'
			when p.prokind = 'a' then exists (select from pg_catalog.pg_aggregate a join builtin b
				on b.oid in (a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggmfinalfn) where a.aggfnoid = p.oid)
			when p.provolatile <> 'i' then true
			when l.lanname in ('internal', 'c') then p.prosrc in (select proname from builtin)
			else l.lanname not in ('sql', 'plpgsql')
				or pg_catalog.regexp_replace(
					coalesce(nullif(p.prosrc, ''), pg_catalog.pg_get_function_sqlbody(p.oid)), 'pg_catalog\s*\.', '', 'gi')
					~* '` + suspectText + `'
				or exists (select from pg_catalog.unnest(p.proconfig) as c
					where c ~ '^search.path=' and c !~ '^search.path=("?(pg_catalog|pg_temp)?"?(, )?)*$') end
		union all
		select r.root, r.read from reach r join pg_catalog.pg_operator o on o.oid = r.obj join builtin b on b.oid = o.oprcode
		where r.class = 'pg_catalog.pg_operator'::regclass
		union all
		select r.root, r.read from reach r join pg_catalog.pg_cast c on c.oid = r.obj join builtin b on b.oid = c.castfunc
		where r.class = 'pg_catalog.pg_cast'::regclass
		union all
		select t.root, t.read
		from tree t, pg_catalog.unnest((pg_catalog.string_to_array(t.tree, ':funcid '))[2:]) as call
		join builtin b on b.oid = pg_catalog.split_part(call, ' ', 1)::oid
		where b.proname <> 'nextval' or t.read -- a write always counts as one that has moved a sequence
	)
	select n.nspname::text,
		exists (select from found f where f.root = n.oid and f.read),
		exists (select from found f where f.root = n.oid),
		(extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp()) * 1000)::float8
	from root n`

// harmlessVolatile matches the volatile functions of PostgreSQL and of extensions that leave
// nothing in the session.
const harmlessVolatile = `^(random|random_normal|array_sample|array_shuffle|clock_timestamp|timeofday|current_query|` +
	`gen_random_.*|gen_salt|uuid_generate_.*|uuidv4|uuidv7|currval|lastval|pg_sleep.*|pg_notify|` +
	`pg_(try_)?advisory_xact_lock(_shared)?|pg_(total_)?relation_size|pg_(table|indexes|database|tablespace)_size|` +
	`pg_stat_get_.*|pg_lock_status|pg_is_in_recovery|pg_blocking_pids|pg_sequence_last_value|txid_status|pg_xact_status|` +
	`moddatetime|insert_username|lo_manage|bernoulli|system)$`

// suspectText matches the text of a function that is labelled immutable but may not be: names of
// functions and words of commands that change a session, and calls of functions by qualified names.
const suspectText = `set_config|set_limit|setseed|setval|nextval|advisory|dblink|to_xml|ts_stat|ts_rewrite|` +
	`\m(set|reset|listen|unlisten|notify|load|prepare|deallocate|discard|cursor|execute|call|` +
	`temp|temporary|lock|import)\M|` +
	`[a-z0-9_$"]\s*\.\s*("[^"]+"|[a-z_][a-z0-9_$]*)\s*\(`
