package tenancy_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// managerWith returns a manager like the fixture's, with changes.
func (f *fixture) managerWith(t testing.TB, change func(cfg *tenancy.Config)) *tenancy.Manager {
	t.Helper()
	cfg := tenancy.Config{Migrator: f.migrator.Migrator, Roles: f.roles}
	change(&cfg)
	m, err := tenancy.New(f.owner, cfg)
	require.NoError(t, err)
	return m
}

// events collects what a manager tells of drops.
type events struct {
	mu  sync.Mutex
	all []tenancy.DropEvent
}

func (e *events) notify(_ context.Context, event tenancy.DropEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// phases returns what was told since it was called last.
func (e *events) phases() (phases []tenancy.DropPhase) {
	for _, event := range e.take() {
		phases = append(phases, event.Phase)
	}
	return phases
}

func (e *events) take() []tenancy.DropEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

// droppers returns a manager that may drop, as drop says, and what it tells.
func (f *fixture) dropManager(t testing.TB, drop tenancy.DropConfig) (*tenancy.Manager, *events) {
	t.Helper()
	told := &events{}
	drop.Enabled, drop.Notify = true, told.notify
	return f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop = drop }), told
}

const actor = "ada@example.com"

// request asks for a drop and returns what drops.
func request(t testing.TB, m *tenancy.Manager, slug string) tenancy.DropParams {
	t.Helper()
	r, err := m.RequestDrop(t.Context(), slug, actor)
	require.NoError(t, err)
	return tenancy.DropParams{Slug: slug, Token: r.Token, Actor: actor}
}

// snapshot is all that a refused drop must not change: the registry, schemas, tables, roles and
// their members.
func (f *fixture) snapshot(t testing.TB) string {
	t.Helper()
	rows, err := f.pg.Pool.Query(t.Context(), `select 'tenant ' || t::text from public.tenants t
		union all select 'domain ' || d::text from public.domains d
		union all select 'name ' || n::text from public.schema_names n
		union all select 'relation ' || n.nspname || ' ' || c.relname || ' ' || coalesce(c.relacl::text, '') from pg_class c
			join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		union all select 'schema ' || nspname || ' ' || coalesce(nspacl::text, '') from pg_namespace where nspname !~ '^pg_'
		union all select 'role ' || rolname || ' ' || rolcanlogin from pg_roles where starts_with(rolname, $1)
		union all select 'member ' || roleid::regrole || ' ' || member::regrole from pg_auth_members
			where starts_with(roleid::regrole::text, $1) order by 1`, f.pg.RolePrefix+"_")
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return fmt.Sprint(lines)
}

// left returns what is left of a tenant outside of the registry's memory.
func (f *fixture) leftovers(t testing.TB, tenant tenancy.Tenant) (left []string) {
	t.Helper()
	rows, err := f.pg.Pool.Query(t.Context(), `select 'row' from public.tenants where id = $1
		union all select 'domain ' || host from public.domains where tenant_id = $1
		union all select 'schema' from pg_namespace where nspname = $2
		union all select 'role' from pg_roles where rolname = $3`, tenant.ID, tenant.Schema, f.roles.Tenant(tenant.Schema))
	require.NoError(t, err)
	left, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return left
}

// use proves that a tenant works: it writes a note of the tenant's own and reads all notes.
func (f *fixture) expectUsable(t testing.TB, tenant tenancy.Tenant) {
	t.Helper()
	ctx := tenancy.NewContext(t.Context(), &tenant)
	_, err := f.db.Exec(ctx, "insert into notes values ($1)", tenant.Slug)
	require.NoError(t, err)
	rows, err := f.db.Query(ctx, "select distinct body from notes")
	require.NoError(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	assert.Equal(t, []string{tenant.Slug}, notes, "tenant %q sees the notes of %q", tenant.Slug, notes)
}

func expectPhases(t testing.TB, told *events, want ...tenancy.DropPhase) {
	t.Helper()
	got := told.phases()
	assert.Equal(t, want, got, "told of %q, want %q", got, want)
}
