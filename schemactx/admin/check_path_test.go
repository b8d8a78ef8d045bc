package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// pathOf returns the configuration of [admin.Check] for a level and an extra search path.
func pathOf(level schemactx.Level, extra ...string) admin.CheckConfig {
	return admin.CheckConfig{Level: level, ExtraSearchPath: extra}
}

var levels = []schemactx.Level{schemactx.PathOnly, schemactx.Roles, schemactx.Logins}

// findAtEachLevel compares the findings at each level with want, or with the findings in but for
// the level, with the schema extensions on the path.
func (f *fixture) findAtEachLevel(t *testing.T, name string, want []string, but map[schemactx.Level][]string) {
	t.Helper()
	for _, level := range levels {
		expected := want
		if other, ok := but[level]; ok {
			expected = other
		}
		named := make([]string, len(expected))
		for i, w := range expected {
			named[i] = f.named(w)
		}
		expectFound(t, name+", "+level.String(), f.foundWith(t, pathOf(level, "extensions")), named)
	}
}

func TestCheckRefusesAPathThatTenantsCanWriteTo(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(t, f, "create schema extensions; grant usage on schema extensions to public")
	f.findAtEachLevel(t, "clean", nil, nil)
	writable := refuse(admin.CodePathWritable, "schema extensions")
	none := []string{}
	for name, d := range map[string]struct {
		plant, repair string
		want          []string
		but           map[schemactx.Level][]string
	}{
		"public creates": {
			"grant create on schema extensions to public", "revoke create on schema extensions from public",
			[]string{writable, refuse(admin.CodePublicCreate, "schema extensions")},
			nil,
		},
		"a tenant creates": {
			"grant create on schema extensions to {a}", "revoke create on schema extensions from {a}",
			[]string{writable, refuse(admin.CodeTenantCreate, "schema extensions")},
			map[schemactx.Level][]string{schemactx.PathOnly: {writable}},
		},
		"the public role creates": {
			"grant create on schema extensions to {public}", "revoke create on schema extensions from {public}",
			[]string{writable, refuse(admin.CodeTenantCreate, "schema extensions")},
			map[schemactx.Level][]string{schemactx.PathOnly: {writable}},
		},
		"the login creates": {
			"grant create on schema extensions to {runtime}", "revoke create on schema extensions from {runtime}",
			[]string{
				writable, refuse(admin.CodeLoginCreate, "schema extensions"), refuse(admin.CodeLoginRights, "schema extensions"),
			},
			map[schemactx.Level][]string{schemactx.PathOnly: {writable, warn(admin.CodeLoginCreate, "schema extensions")}},
		},
		"a tenant owns it": {
			"alter schema extensions owner to {a}", "alter schema extensions owner to current_user",
			[]string{
				writable, writable, refuse(admin.CodeTenantOwns, "schema extensions"),
				refuse(admin.CodeTenantCreate, "schema extensions"),
			},
			map[schemactx.Level][]string{schemactx.PathOnly: {writable, writable}},
		},
		"the login may become who creates": {
			"create role {prefix}_lib; grant create on schema extensions to {prefix}_lib; grant {prefix}_lib to {runtime}",
			"revoke create on schema extensions from {prefix}_lib; drop role {prefix}_lib",
			[]string{writable, refuse(admin.CodeLoginMember, "{prefix}_lib")},
			map[schemactx.Level][]string{schemactx.PathOnly: {writable}},
		},
		"another role plants an operator": {
			"create role {prefix}_dba; grant create on schema extensions to {prefix}_dba; set role {prefix}_dba; " +
				"create function extensions.same(text, text) returns boolean language sql as 'select true'; reset role",
			"drop function extensions.same(text, text); revoke create on schema extensions from {prefix}_dba",
			[]string{warn(admin.CodePlanted, "function extensions.same(text, text)")},
			nil,
		},
		"a tenant changes a table": {
			"create table extensions.countries (); grant select, update on extensions.countries to public",
			"drop table extensions.countries",
			[]string{warn(admin.CodePathTable, "table extensions.countries")},
			map[schemactx.Level][]string{schemactx.PathOnly: none},
		},
		"everybody reads a table": {
			"create table extensions.read (); grant select on extensions.read to public", "drop table extensions.read", nil, nil,
		},
		"nobody may use it": {
			"revoke usage on schema extensions from public; grant usage on schema extensions to {a}, {public}, {runtime}",
			"revoke usage on schema extensions from {a}, {public}, {runtime}; grant usage on schema extensions to public",
			// tenant_b has no USAGE.
			[]string{refuse(admin.CodePathMissing, "schema extensions"), refuse(admin.CodeLoginRights, "schema extensions")},
			map[schemactx.Level][]string{schemactx.PathOnly: none},
		},
		"it does not exist": {
			"drop schema extensions", "create schema extensions; grant usage on schema extensions to public",
			[]string{refuse(admin.CodePathMissing, "schema extensions")},
			nil,
		},
	} {
		run(t, f, f.named(d.plant))
		f.findAtEachLevel(t, name, d.want, d.but)
		run(t, f, f.named(d.repair))
	}
	f.findAtEachLevel(t, "all repaired", nil, nil)
}

func TestCheckRefusesTheSchemaOfATenantOnThePath(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	found := f.foundWith(t, pathOf(schemactx.Roles, "tenant_b"))
	assert.Contains(t, found, refuse(admin.CodePathTenant, "schema tenant_b"))
	assert.Contains(t, found, refuse(admin.CodePathMissing, "schema tenant_b")) // the others may not use it
	_, err := admin.Check(t.Context(), f.pg.Pool, pathOf(schemactx.Roles, "pg_temp"))
	assert.ErrorAs(t, err, new(*schemactx.SearchPathError))
}

func TestCheckWarnsOfColumnsWhoseOperatorsAreNotOnThePath(t *testing.T) {
	t.Parallel()
	f := hardened(t)
	run(
		t,
		f,
		`create extension citext; create schema lib; grant usage on schema lib to public; create extension hstore schema lib;
		create extension ltree schema lib;
		create type lib.mood as enum ('glad'); create domain lib.short as text check (length(value) < 10)`,
	)
	clean := f.foundWith(t, pathOf(schemactx.Roles))
	expectFound(t, "no column", clean, nil)
	citext, hstore, ltree := warn(
		admin.CodePathType,
		"type public.citext",
	), warn(
		admin.CodePathType,
		"type lib.hstore",
	), warn(
		admin.CodePathType,
		"type lib.ltree",
	)
	for name, d := range map[string]struct {
		plant, repair string
		want          []string
	}{
		"column": {"create table tenant_a.t (id int, email public.citext)", "drop table tenant_a.t", []string{citext}},
		"array":  {"create table tenant_a.t (emails public.citext[])", "drop table tenant_a.t", []string{citext}},
		"domain": {
			"create domain tenant_a.address as public.citext; create table tenant_a.t (email tenant_a.address)",
			"drop table tenant_a.t; drop domain tenant_a.address",
			[]string{citext},
		},
		"domains": {
			"create domain lib.address as public.citext; create domain lib.two as lib.address[]; " +
				"create table tenant_a.t (emails lib.two)",
			"drop table tenant_a.t; drop domain lib.two, lib.address",
			[]string{citext},
		},
		"range": {
			"create type tenant_a.span as range (subtype = public.citext); create table tenant_a.t (x tenant_a.span)",
			"drop table tenant_a.t; drop type tenant_a.span",
			[]string{citext},
		},
		"composite": {
			"create type tenant_a.person as (name text, email public.citext); create table tenant_a.t (x tenant_a.person[])",
			"drop table tenant_a.t; drop type tenant_a.person",
			[]string{citext},
		},
		"several": {
			"create table tenant_a.t (email public.citext, attrs lib.hstore, path lib.ltree); " +
				"create table tenant_b.t (email public.citext)",
			"drop table tenant_a.t, tenant_b.t",
			[]string{citext, hstore, ltree},
		},
		"view": {
			"create materialized view tenant_a.v as select 'a'::public.citext as a", "drop materialized view tenant_a.v",
			[]string{citext},
		},
		"public's": {
			"create table public.addresses (email public.citext, attrs lib.hstore)", "drop table public.addresses",
			[]string{hstore},
		},
		"others": {
			"create table tenant_a.t (m lib.mood, s lib.short, x int4range, n name[])", "drop table tenant_a.t", nil,
		},
		"own": {
			"create type tenant_a.m as enum ('a'); create table tenant_a.t (m tenant_a.m)",
			"drop table tenant_a.t; drop type tenant_a.m", nil,
		},
		"no tenant's": {
			"create schema report; create table report.t (email public.citext)", "drop schema report cascade", nil,
		},
	} {
		run(t, f, d.plant)
		for _, level := range levels[1:] {
			expectFound(t, name, f.foundWith(t, pathOf(level)), d.want)
			expectFound(t, name+", on the path", f.foundWith(t, pathOf(level, "public", "lib")), nil)
		}
		run(t, f, d.repair)
	}
	run(t, f, "create table tenant_a.t (email public.citext); grant usage on schema tenant_a to "+f.roles.Runtime())
	assert.Contains(t, f.foundWith(t, pathOf(schemactx.PathOnly)), citext)
	pool := openPool(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1)
	report, err := admin.Check(t.Context(), pool, admin.CheckConfig{Roles: f.roles})
	require.NoError(t, err)
	var messages []string
	for _, finding := range report.Findings {
		messages = append(messages, finding.Message)
	}
	assert.Contains(
		t,
		messages,
		"type public.citext is that of 1 column, tenant_a.t.email, and the schema of its operators is not on the search "+
			"path: "+
			"a comparison may find no row, without an error. Add that schema to ExtraSearchPath",
	)
}
