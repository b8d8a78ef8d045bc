package admin

// linkRules find objects by which a statement in one tenant's schema reaches another tenant's
// schema without a privilege there. The owner creates such objects. PostgreSQL checks the
// privileges of the tenant on the parent table, the view or the table with the rule, and not those
// on the objects that they lead to.
var linkRules = []rule{
	{
		// CodeViewRights is about views. A foreign key to a shared table is not reported.
		code: CodeTenantLink, roles: Refuse, logins: Refuse, pathOnly: Warn,
		sql: `with relation as not materialized (
				select c.oid, relnamespace, t.oid is not null as of_tenant, relispartition,
					format('%I.%I', n.nspname, relname) as name
				from pg_class c join pg_namespace n on n.oid = relnamespace left join tenant t on t.oid = n.oid
			)
			select 'table ' || c.name, case when c.relispartition then 'is a partition of ' else 'inherits from ' end || p.name
			from pg_inherits join relation c on c.oid = inhrelid join relation p on p.oid = inhparent
			where c.relnamespace <> p.relnamespace and (c.of_tenant or p.of_tenant)
			union all
			select 'table ' || c.name, format('has the foreign key %I to %s', conname, p.name)
			from pg_constraint join relation c on c.oid = conrelid join relation p on p.oid = confrelid
			where contype = 'f' and c.relnamespace <> p.relnamespace and p.of_tenant
			union all
			select distinct 'table ' || c.name, format('has the rule %I, which uses %s', rulename, p.name)
			from pg_rewrite w join relation c on c.oid = ev_class
			join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
			join relation p on p.oid = d.refobjid
			where rulename <> '_RETURN' and c.relnamespace <> p.relnamespace and p.of_tenant
			union all
			select 'table ' || c.name, format('has the trigger %I, which calls a function of schema %I', tgname, t.nspname)
			from pg_trigger join pg_proc f on f.oid = tgfoid join tenant t on t.oid = pronamespace
				join relation c on c.oid = tgrelid
			where not tgisinternal and c.relnamespace <> t.oid`,
		message: "{object} {detail}, so that the rows of a tenant can be reached from another schema: remove it",
	},
	{
		// This rule is about functions, types and operators of another tenant. The server finds them by
		// OID, so it does not check USAGE on their schema, and by default PUBLIC may call a function. A
		// table is protected by its own privileges, except as the argument of nextval in a default, in a
		// policy or in statistics. CodeViewRights is about what views read.
		code: CodeTenantLink, roles: Refuse, logins: Refuse, pathOnly: Warn,
		sql: `with edge as materialized (
				select classid, objid, objsubid, refclassid, refobjid from pg_depend
				where deptype in ('n', 'a') and refclassid in ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass)
				union all
				select classid, objid, objsubid, refclassid, refobjid from pg_depend
				where refclassid = 'pg_class'::regclass and (classid = 'pg_attrdef'::regclass and deptype = 'n'
					or classid in ('pg_policy'::regclass, 'pg_statistic_ext'::regclass))
			), placed as (
				select *, case refclassid
					when 'pg_proc'::regclass then (select pronamespace from pg_proc where oid = refobjid)
					when 'pg_type'::regclass then (select typnamespace from pg_type where oid = refobjid)
					when 'pg_operator'::regclass then (select oprnamespace from pg_operator where oid = refobjid)
					else (select relnamespace from pg_class where oid = refobjid) end as used,
				case classid
					when 'pg_class'::regclass then (select relnamespace from pg_class where oid = objid)
					when 'pg_attrdef'::regclass then (select relnamespace from pg_attrdef a join pg_class c on c.oid = adrelid
						where a.oid = objid)
					when 'pg_constraint'::regclass then (select connamespace from pg_constraint where oid = objid)
					when 'pg_policy'::regclass then (select relnamespace from pg_policy p join pg_class c on c.oid = polrelid
						where p.oid = objid)
					when 'pg_statistic_ext'::regclass then (select stxnamespace from pg_statistic_ext where oid = objid)
					when 'pg_rewrite'::regclass then (select relnamespace from pg_rewrite w join pg_class c on c.oid = ev_class
						where w.oid = objid)
					when 'pg_trigger'::regclass then ( -- its function is found above
						select relnamespace from pg_trigger g join pg_class c on c.oid = tgrelid where g.oid = objid
							and tgfoid <> refobjid)
					when 'pg_type'::regclass then (select typnamespace from pg_type where oid = objid)
					when 'pg_proc'::regclass then (select pronamespace from pg_proc where oid = objid)
					when 'pg_operator'::regclass then (select oprnamespace from pg_operator where oid = objid)
					when 'pg_event_trigger'::regclass then 0
					when 'pg_cast'::regclass then (
						select case when f.typnamespace in (select oid from tenant) then f.typnamespace else s.typnamespace end
						from pg_cast c join pg_type f on f.oid = castsource join pg_type s on s.oid = casttarget where c.oid = objid)
					end as at
				from edge
			)
			select distinct coalesce(
					(select 'domain ' || contypid::regtype from pg_constraint c
						where classid = 'pg_constraint'::regclass and c.oid = objid and contypid <> 0),
					pg_describe_object(classid, objid, objsubid)),
				'uses ' || pg_describe_object(refclassid, refobjid, 0)
			from placed where used <> at and used in (select oid from tenant)`,
		message: "{object} {detail}, which is of another tenant and may read or change its rows: remove it",
	},
	{
		// Thousands of schemas have the same functions, so each distinct text is searched once. A word of
		// the text counts as the name of a schema if a dot follows it, if it is a whole string, or if it
		// is after search_path in a command.
		code:     CodeDefinerTenant,
		roles:    Warn,
		logins:   Warn,
		pathOnly: Warn,
		sql: `with definer as materialized (
				select f.oid, pronamespace, proconfig, coalesce(nullif(prosrc, ''), pg_get_function_sqlbody(f.oid)) as src
				from open_function f join pg_language l on l.oid = prolang
				where prosecdef and lanname not in ('internal', 'c') and not of_extension
			), code as (
				select src, lower(regexp_replace(regexp_replace(src, '--[^\n]*', ' ', 'g'), '/\*.*?\*/', ' ', 'g')) as code
				from (select distinct src from definer) as s
			), word as (
				select src, m[1] as word from code, regexp_matches(code, '([a-z_][a-z0-9_]*)"?\s*\.', 'g') as m
				union select src, m[1] from code, regexp_matches(code, '''"?([a-z_][a-z0-9_]*)"?''', 'g') as m
				union select src, w from code,
					regexp_matches(code, 'search_path([^;]*)', 'g') as m, regexp_split_to_table(m[1], '[^a-z0-9_]+') as w
			), named as (
				select d.oid, t.nspname from definer d join word using (src) join tenant t on t.nspname = word::name
					where t.oid <> pronamespace
				union
				select d.oid, t.nspname from definer d, unnest(proconfig) as c,
					regexp_split_to_table(substr(c, length('search_path=') + 1), '[", ]+') as w
				join tenant t on t.nspname = w::name
				where starts_with(c, 'search_path=') and t.oid <> pronamespace
			)
			select ` + functionObject + `, names
			from (select oid, string_agg(quote_ident(nspname), ', ' order by nspname) as names from named group by oid) as n
				join pg_proc using (oid)`,
		message: "{object}, which tenants can call, runs with its owner's rights and names the schema of another tenant, " +
			"{detail}: review the function",
	},
	{
		// A foreign table reads the other server as the role of the user mapping, whatever privileges the
		// tenant has here. An object that tenants cannot use is not reported.
		code: CodeForeignData, roles: Warn, logins: Warn, pathOnly: Warn,
		sql: `with reader as (select 0::oid as oid union all select oid from runner)
			select distinct format('foreign table %I.%I', n.nspname, c.relname),
				format('reads server %I as its user mapping does', srvname)
			from pg_foreign_table f join pg_foreign_server s on s.oid = ftserver join pg_class c on c.oid = ftrelid
			join open_schema n on n.oid = relnamespace, config, aclexplode(coalesce(relacl, acldefault('r', relowner))) as a
			where grantee in (select oid from reader) or path_only
			union all
			select format('user mapping for %s',
					case when umuser = 0 then 'PUBLIC' else quote_ident(pg_get_userbyid(umuser)) end),
				format('lets tenants use server %I', srvname)
			from pg_user_mappings where umuser in (select oid from reader)
			union all
			select format('foreign server %I', srvname), 'may be used by ' ||
				case when grantee = 0 then 'PUBLIC' else quote_ident(pg_get_userbyid(grantee)) end
			from pg_foreign_server, aclexplode(srvacl) where grantee in (select oid from reader)`,
		message: "{object} {detail}, where the rights of this database do not hold: take it from the tenants, " +
			"or check what they can read there",
	},
}
