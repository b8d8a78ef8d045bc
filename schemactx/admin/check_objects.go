package admin

// invokerView returns a SQL expression that tells whether a row of pg_class is a view with the
// privileges of its caller (security_invoker). If a view with its owner's privileges reads it, that
// owner is the caller.
func invokerView(row string) string {
	return "coalesce((select option_value::boolean from pg_options_to_table(" + row + ".reloptions) " +
		"where option_name = 'security_invoker'), false)"
}

// objectRules are about objects that tenants can use: functions, languages, views and operators.
var objectRules = []rule{
	{
		code: CodeNotHardened, roles: Warn,
		sql: `select object, coalesce(quote_ident(r.rolname), 'PUBLIC') from (
				select 'EXECUTE on function ' || p.oid::regprocedure, 'EXECUTE', coalesce(proacl, acldefault('f', proowner))
				from config, pg_proc p where p.oid = any (closed)
				union all
				select format('USAGE on language %I', lanname), 'USAGE', coalesce(lanacl, acldefault('l', lanowner))
				from pg_language where lanpltrusted and laninline <> 0
			) as o(object, privilege, acl), aclexplode(acl) left join pg_roles r on r.oid = grantee
			where privilege_type = privilege and (grantee = 0 or grantee in (select oid from scope_role))`,
		message: "{detail} has {object}, with which a statement can leave its scope or leave something behind: run Harden",
	},
	{
		code: CodeDefinerPath, roles: Warn, logins: Warn, pathOnly: Warn,
		sql: "select " + functionObject + `, quote_ident(pg_get_userbyid(proowner)) from open_function
			where prosecdef and not exists (select from unnest(proconfig) as c where starts_with(c, 'search_path='))`,
		message: "{object} runs with the rights of {detail} on its caller's search path: ALTER {object} SET search_path",
	},
	{
		code:   CodeViewRights,
		roles:  Warn,
		logins: Warn,
		sql: `select distinct format('view %s.%I', v.relnamespace::regnamespace, v.relname),
			format('%I.%I', n.nspname, c.relname)
			from pg_class v
			join pg_rewrite w on w.ev_class = v.oid
			join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
			join pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relnamespace <> v.relnamespace
			join pg_namespace n on n.oid = c.relnamespace and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
			where v.relkind in ('v', 'm') and v.relnamespace = any (array(select oid from open_schema))
				and (not ` + invokerView(
			"v",
		) + ` or exists (
					select from pg_depend d join pg_rewrite w on w.oid = d.objid join pg_class o on o.oid = w.ev_class
					where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = v.oid
						and o.oid <> v.oid and o.relkind in ('v', 'm') and not ` + invokerView(
			"o",
		) + `))
				and (n.oid in (select oid from tenant) and v.relnamespace in (select oid from tenant)
					or v.oid in (select r.oid from pg_class r, aclexplode(relacl) where relkind in ('v', 'm')
						and privilege_type = 'SELECT'
						and (grantee = 0 or grantee in (select oid from scope_role))))
				and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = v.oid and deptype = 'e')`,
		message: "{object} reads {detail} of another schema with its owner's rights: give it security_invoker, " +
			"or take it from the tenants",
	},
	{
		// Functions and operators that a superuser created, or that belong to an extension, are trusted.
		code:     CodePlanted,
		roles:    Warn,
		logins:   Warn,
		pathOnly: Warn,
		sql: `select o.object, quote_ident(r.rolname) from (
				select 'pg_proc'::regclass, oid, pronamespace, proowner,
					format('function %I.%I(%s)', pronamespace::regnamespace, proname, pg_get_function_identity_arguments(oid))
						from pg_proc
				union all
				select 'pg_operator'::regclass, oid, oprnamespace, oprowner, 'operator ' || oid::regoperator from pg_operator
			) as o(class, oid, namespace, owner, object)
			join pg_roles r on r.oid = o.owner join pg_namespace n on n.oid = o.namespace, config, db
			where n.nspname = any (shared) and not r.rolsuper and r.rolname <> config.owner and r.oid <> db.datdba
				and not exists (select from pg_depend d where d.classid = o.class and d.objid = o.oid and d.deptype = 'e')`,
		message: "{object} in a schema that tenants share was made by {detail}: drop it, " +
			"or give it to the owner role once it has been read",
	},
	{
		// The query removes SQL comments first. A word that begins a statement follows a semicolon or a
		// keyword of PL/pgSQL. EXECUTE FUNCTION belongs to a trigger, and EXECUTE ON to a grant.
		// Thousands of schemas have the same functions, so each distinct text is judged once.
		code: CodeSessionFunction, roles: Warn, logins: Warn, pathOnly: Warn,
		sql: `with source as materialized (
				select f.oid, coalesce(nullif(prosrc, ''), pg_get_function_sqlbody(f.oid)) as src,
					exists (select from unnest(proconfig) as c where starts_with(c, 'role=')) as takes_role
				from open_function f join pg_language l on l.oid = prolang
				where lanname not in ('internal', 'c') and not of_extension
			), verdict as (
				select s.src, string_agg(what, ', ') as what from (select distinct src from source) as s,
				lateral (select regexp_replace(regexp_replace(s.src, '--[^\n]*', ' ', 'g'), '/\*.*?\*/', ' ', 'g')) as t(code),
				lateral (values
					('calls set_config for the session', code ~* '\mset_config\s*\([^;]*\mfalse\M'),
					('takes a role or a path for the transaction',
						code ~* 'set_config\s*\(\s*(E?''(role|session_authorization|search_path)''|(?!E?''[^'']*''\s*(,|::)))'
						or code ~* '\mupdate\s+(pg_catalog\s*\.\s*)?pg_settings\M'),
					('changes the session',
						code ~* '(^|;|\m(begin|then|else|loop)\M)\s*(set|reset|discard|listen|unlisten|load|prepare|deallocate)\M'),
					('ends the transaction', code ~* '(;|\m(begin|then|else|loop)\M)\s*(commit|rollback)\M'),
					('takes a session advisory lock', code ~* '\mpg_(try_)?advisory_lock(_shared)?\M'),
					('runs SQL that it puts together', code ~* '\mexecute\M(?!\s+(function|procedure|on)\M)')
				) as w(what, does)
				where does group by s.src
			)
			select ` + functionObject + `, concat_ws(', ', what, case when takes_role then 'runs as another role' end)
			from source left join verdict using (src) join pg_proc using (oid)
			where what is not null or takes_role
			union all
			select distinct format('extension %I', extname), 'opens connections that stay on the session'
			from pg_extension e join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
				and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
			where extname = 'dblink' and d.objid in (select oid from open_function)`,
		message: "{object}, which tenants can call, {detail}: read it, or revoke EXECUTE from PUBLIC",
	},
}
