package attacktest

import (
	"strings"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// nameAttacks are rows 26 to 33: names of schemas that come from outside. In most of them sql holds
// such names.
var nameAttacks = []attack{
	{
		row: 26, title: "a name that is SQL", variants: true, run: readsIn,
		sql: []string{
			`x", "tenant_b`,
			`tenant_b"`,
			`tenant_b'`,
			"tenant_b;",
			"tenant_b--",
			"tenant_b /*",
			"",
			" ",
			"tenant b",
			" tenant_b",
			"tenant_b ",
			"tenant_b\x00",
			"tenant_b\n",
			"tenant_b\t",
			`tenant_b\`,
			"tenant_b😀",
			"ｔenant_b",
			"tenant_b\u200b",
			"tenant.b",
			"1",
			"$user",
			"tenant_b\xff",
		},
		want: everywhere("NameError"),
	},
	{
		row: 27, title: "a name that is a list", variants: true, run: readsIn,
		sql:  []string{"tenant_b,tenant_a", "tenant_b, public", ",tenant_b", "tenant_b,"},
		want: everywhere("NameError"),
	},
	{
		row: 28, title: "a name in upper case", variants: true, run: readsIn,
		sql:  []string{"TENANT_B", "Tenant_b", "tenant_B"},
		want: everywhere("NameError"),
	},
	{
		row: 29, title: "a name that PostgreSQL would cut", variants: true, run: readsIn,
		sql:  []string{strings.Repeat("x", 63) + "y", strings.Repeat("x", 64), strings.Repeat("x", 10000)},
		want: everywhere("NameError"),
	},
	{
		row: 30, title: "a name that PostgreSQL or the registry reserves", variants: true, run: readsIn,
		sql:  []string{"public", "information_schema", "pg_catalog", "pg_temp", "pg_temp_3", "pg_toast", "none", "default"},
		want: everywhere("NameError"),
	},
	{
		row:   31,
		title: "a schema that does not exist, its table in public",
		run:   readsIn,
		setup: "create table public.secrets (body text); insert into public.secrets values ('SECRET_B'); " +
			"grant select on public.secrets to public",
		sql:  []string{"tenant_missing"},
		want: wants{"ErrSchemaMissing", "ErrSchemaMissing", "ErrSchemaMissing", "ErrNotProvisioned", "ErrSchemaMissing"},
	},
	{
		row: 32, title: "a schema that was dropped and made again", run: readsAfterDrop,
		sql:  []string{"select body from secrets", "insert into secrets (body) values ('a was here')"},
		want: everywhere(nothing),
	},
	{
		row: 33, title: "roles of another database with the same prefix", run: setsUpTwice,
		sql:  []string{"(a second database calls Setup with the role names of the first)"},
		want: everywhere("ErrTaken"),
	},
}

// readsIn reads secrets in a context whose schema is named sql[0]. It succeeds if it gets a secret
// of a tenant. An invalid name must not take a connection from the pool.
func readsIn(a *attempt, sql []string) bool {
	acquired := a.pool.Stat().AcquireCount()
	ctx := a.in(sql[0])
	a.take(ctx, a.db(ctx), "select body from secrets")
	if schemactx.ValidateName(sql[0]) != nil {
		assert.Equal(a.t, acquired, a.pool.Stat().AcquireCount(), "name %q reached the pool", sql[0])
	}
	return a.loot.Len() > 0 && (a.got(a.secretB) || a.got(a.secretA))
}

// readsAfterDrop runs statements in a schema, drops the schema, creates it again with other tables,
// and runs the statements once more. It succeeds if they find the old contents, or if what they
// write is not in the new schema.
func readsAfterDrop(a *attempt, sql []string) bool {
	a.alone("tenant_a", sql[0])
	a.inTx("tenant_a", sql[0])
	a.exec(a.t, "drop schema tenant_a cascade")
	a.provision(a.t, "tenant_a")
	a.exec(a.t, "create table tenant_a.secrets (extra int default 1, body text default 'new')")
	a.loot.Reset()
	a.alone("tenant_a", sql...)
	a.inTx("tenant_a", sql[0])
	return a.got(a.secretA) || !a.got("a was here")
}

// setsUpTwice runs Setup in a second database with the role names of the first. It succeeds if
// Setup accepts them.
func setsUpTwice(a *attempt, _ []string) bool {
	other := pgtest.New(a.t)
	_, err := admin.Setup(a.ctx, other.Pool, admin.SetupConfig{Roles: a.roles})
	a.met(err)
	return err == nil
}
