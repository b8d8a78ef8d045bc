package attacktest

import (
	"github.com/oryne/pgtenant/schemactx/admin"

	"github.com/stretchr/testify/require"
)

// Rows 34 to 36: objects that an attacker or the owner creates and that other tenants use.
var plantedAttacks = []attack{
	{
		row: 34, title: "create objects that other tenants would find", variants: true, run: plants,
		sql: []string{
			"create table public.planted as select 'a was here' as body",
			"create function public.planted() returns text language sql as 'select ''a was here'''",
			"create view public.planted as select body from secrets",
		},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row: 34, title: "create objects in its own schema", run: finds("select 1 from pg_class where relname = 'planted'"),
		sql:     []string{"create table planted as select 'a was here' as body"},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row:      34,
		title:    "create temporary objects and schemas",
		variants: true,
		run: finds(
			"select 1 from pg_proc where proname = 'planted' union all select 1 from pg_namespace where nspname = 'planted'",
		),
		sql: []string{
			"create function pg_temp.planted() returns text language sql as 'select ''a was here'''",
			"create schema planted",
		},
		want:    butPathOnly("42501"),
		follows: "The login of the service must own nothing and create nothing.",
	},
	{
		row: 35, title: "a function that another role created in public", run: callsPlanted, found: admin.CodePlanted,
		sql:  []string{"select planted()"},
		want: everywhere("42883"),
	},
	{
		row:   36,
		title: "a view over b that the owner made for a",
		run:   reads,
		found: admin.CodeViewRights,
		setup: "create view tenant_a.report as select body from tenant_b.secrets; grant select on tenant_a.report to ROLE_A",
		sql:   []string{"select body from report"},
		want:  everywhere(leaks),
		follows: "A view has the privileges of its owner: the owner of all tenants' tables must not give one tenant a " +
			"view over another tenant's table.",
	},
	{
		row:   36,
		title: "a SECURITY DEFINER function without a search path",
		run:   reads,
		found: admin.CodeDefinerPath,
		setup: "create function tenant_a.total() returns text language plpgsql security definer as 'begin return (select " +
			"string_agg(body, '','') from secrets); end'",
		sql:  []string{"select set_config('search_path', 'tenant_b', true), tenant_a.total()"},
		want: wants{leaks, leaks, "42501", leaks, "42501"},
		follows: "A SECURITY DEFINER function uses the search path of its caller: give each such function a search path, " +
			"and revoke set_config from PUBLIC.",
	},
}

// plants succeeds if a creates a table or function named planted in public, where b would find it.
func plants(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql...)
	var there bool
	require.NoError(
		a.t,
		a.pg.Pool.QueryRow(
			a.ctx, "select to_regclass('public.planted') is not null or to_regproc('public.planted') is not null",
		).
			Scan(&there),
	)
	return there
}

// callsPlanted gives a's role a function in public, as if it had once been allowed to create one.
// It succeeds if b calls that function.
func callsPlanted(a *attempt, sql []string) bool {
	a.admin(a.t, `create function public.planted() returns text language sql as 'select ''a was here''';
		alter function public.planted() owner to ROLE_A`)
	a.alone("tenant_b", sql[0])
	return a.got("a was here")
}

// finds returns an attack that succeeds if the superuser's query finds an object that a has
// created. It drops the object.
func finds(query string) func(*attempt, []string) bool {
	return func(a *attempt, sql []string) bool {
		a.alone("tenant_a", sql...)
		var found bool
		require.NoError(a.t, a.pg.Pool.QueryRow(a.ctx, "select exists ("+query+")").Scan(&found))
		a.admin(a.t, "drop schema if exists planted")
		return found
	}
}
