package tenancy_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// dropEvents collects the events that a manager reports to DropConfig.Notify.
type dropEvents struct {
	mu  sync.Mutex
	all []tenancy.DropEvent
}

func (e *dropEvents) notify(_ context.Context, event tenancy.DropEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// drain returns the events since the last call.
func (e *dropEvents) drain() []tenancy.DropEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

// expectPhases compares the phases of the events since the last call.
func (e *dropEvents) expectPhases(t testing.TB, want ...tenancy.DropPhase) {
	t.Helper()
	var got []tenancy.DropPhase
	for _, event := range e.drain() {
		got = append(got, event.Phase)
	}
	assert.Equal(t, want, got, "phases of the drop events")
}

// dropManager returns a manager with drops enabled, and its events.
func (f *fixture) dropManager(t testing.TB, drop tenancy.DropConfig) (*tenancy.Manager, *dropEvents) {
	t.Helper()
	events := &dropEvents{}
	drop.Enabled, drop.Notify = true, events.notify
	return f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop = drop }), events
}

// fourEyesManager returns a manager whose drops need the approval of a second person.
func (f *fixture) fourEyesManager(t *testing.T) *tenancy.Manager {
	t.Helper()
	m, _ := f.dropManager(t, tenancy.DropConfig{FourEyes: true})
	return m
}

const actor = "ada@example.com"

// request requests a drop and returns the parameters of the drop.
func request(t testing.TB, m *tenancy.Manager, slug string) tenancy.DropParams {
	t.Helper()
	r, err := m.RequestDrop(t.Context(), slug, actor)
	require.NoError(t, err)
	return tenancy.DropParams{Slug: slug, Token: r.Token, Actor: actor}
}

// snapshot describes what a refused operation must not change: the registry, schemas, relations,
// roles and memberships.
func (f *fixture) snapshot(t testing.TB) string {
	t.Helper()
	return fmt.Sprint(f.queryStrings(t, `select 'tenant ' || t::text from public.tenants t
		union all select 'domain ' || d::text from public.domains d
		union all select 'name ' || n::text from public.schema_names n
		union all select 'relation ' || n.nspname || ' ' || c.relname || ' ' || coalesce(c.relacl::text, '')
			from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
		union all select 'schema ' || nspname || ' ' || coalesce(nspacl::text, '')
			from pg_namespace where nspname !~ '^pg_'
		union all select 'role ' || rolname || ' ' || rolcanlogin from pg_roles where starts_with(rolname, $1)
		union all select 'member ' || roleid::regrole || ' ' || member::regrole from pg_auth_members
			where starts_with(roleid::regrole::text, $1) order by 1`, f.pg.RolePrefix+"_"))
}

// leftovers returns what still exists of a dropped tenant, apart from its recorded schema names and
// drop requests.
func (f *fixture) leftovers(t testing.TB, tenant tenancy.Tenant) []string {
	t.Helper()
	return f.queryStrings(t, `select 'row' from public.tenants where id = $1
		union all select 'domain ' || host from public.domains where tenant_id = $1
		union all select 'schema' from pg_namespace where nspname = $2
		union all select 'role' from pg_roles where rolname = $3`,
		tenant.ID, tenant.Schema, f.roles.Tenant(tenant.Schema))
}
