package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// manager returns a manager whose tenants have a table of notes and whose hooks are the log's.
func (f *fixture) manager(t testing.TB, l *audit.Log, approve tenancy.Approver) *tenancy.Manager {
	t.Helper()
	runner, err := migrate.New(f.owner, migrate.Config{
		Shared: shared,
		Tenant: []migrate.Source{{Name: "test", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	})
	require.NoError(t, err)
	m, err := tenancy.New(f.owner, tenancy.Config{
		Migrator: runner, Roles: f.roles, Hooks: l.TenancyHooks(tenancy.Hooks{}),
		Drop: tenancy.DropConfig{Enabled: true, Notify: l.NotifyDrop, Approve: approve},
	})
	require.NoError(t, err)
	require.NoError(t, m.Init(t.Context()))
	return m
}

// actions returns the actions of the log from the oldest on, except for the log's own.
func (f *fixture) actions(t testing.TB, filter audit.Filter) (actions []string) {
	t.Helper()
	for _, r := range f.list(t, filter) {
		if !strings.HasPrefix(string(r.Action), "log_") {
			actions = append(actions, string(r.Action))
		}
	}
	return actions
}

func TestTheLifecycleOfATenantIsLogged(t *testing.T) {
	t.Parallel()
	f := setupAlone(t)
	l := f.open(t, audit.Config{})
	m := f.manager(t, l, l.ApproveDrop(nil))
	ctx := audit.NewContext(t.Context(), audit.Caller{Actor: "ada", RequestID: "r-1"})
	tenant, err := m.Create(ctx, tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
	require.NoError(t, err)
	_, err = m.Suspend(ctx, "acme", "unpaid")
	require.NoError(t, err)
	_, err = m.Activate(ctx, "acme")
	require.NoError(t, err)
	_, err = m.AddDomain(ctx, "acme", "www.acme.example.com")
	require.NoError(t, err)
	request, err := m.RequestDrop(ctx, "acme", "ada")
	require.NoError(t, err)
	_, err = m.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "eve", Token: request.Token})
	require.Error(t, err, "dropped by another sweep")
	_, err = m.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token})
	require.NoError(t, err)

	// The tenant is gone, and its log remains.
	want := []string{
		"create", "migration", "create", "create", "suspend", "activate", "domain_change",
		"drop_requested", "drop_refused", "drop_approved", "drop_started", "drop_step", "drop_step", "drop_step", "drop_done",
	}
	assert.Equal(t, want, f.actions(t, audit.Filter{Tenants: []int64{tenant.ID}}), "logged")
	for _, r := range f.list(t, audit.Filter{Tenants: []int64{tenant.ID}}) {
		assert.True(t,
			r.Action == audit.LogOpened || (r.Actor == "ada" || r.Action == audit.DropRefused) && r.RequestID == "r-1" &&
				r.Slug == "acme",
			"got %+v", r.Entry)
		assert.True(t,
			(r.Action != audit.DropRefused || r.Actor == "eve" && r.Details["error"] != nil) && (r.Action != audit.Suspend ||
				r.Details["reason"] == "unpaid"),
			"got %+v", r.Entry)
		text, _ := json.Marshal(r.Details)
		assert.NotContains(t, string(text), request.Token, "the token is in the log")
	}
	f.verify(t)
}

func TestADropThatCannotBeLoggedIsRefused(t *testing.T) {
	t.Parallel()
	f := setupAlone(t)
	l := f.open(t, audit.Config{})
	m := f.manager(t, l, l.ApproveDrop(tenancy.ApproverFunc(func(_ context.Context, data tenancy.ApprovalData) error {
		if data.Proof != "yes" {
			return errors.New("no")
		}
		return nil
	})))
	_, err := m.Create(t.Context(), tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
	require.NoError(t, err)
	request, err := m.RequestDrop(t.Context(), "acme", "ada")
	require.NoError(t, err)
	params := tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token}
	_, err = m.Drop(t.Context(), params)
	assert.ErrorIs(t, err, tenancy.ErrDropNotApproved)
	params.Proof = "yes"
	f.exec(t, "alter table public.audit_log rename to audit_log_away")
	_, err = m.Drop(t.Context(), params)
	assert.ErrorIs(t, err, tenancy.ErrDropNotApproved)
	still, err := m.BySlug(t.Context(), "acme")
	assert.NoError(t, err, "%v", still)
	assert.Equal(t, tenancy.Active, still.Status, "%v", still)
	f.exec(t, "alter table public.audit_log_away rename to audit_log")
	_, err = m.Drop(t.Context(), params)
	require.NoError(t, err)
	require.NoError(t, l.Flush(t.Context())) // the refusals that could not be written were recorded
	assert.Equal(t, 2, f.count(t, "action = 'drop_refused'"), "refusals are logged")
	f.verify(t)
}

// school creates two tenants and returns a handle whose hooks are the log's.
func (f *fixture) school(t testing.TB, l *audit.Log, hooks schemactx.Hooks) *schemactx.DB {
	t.Helper()
	for _, schema := range []string{"tenant_1", "tenant_2"} {
		_, err := admin.Provision(t.Context(), f.owner, f.roles, schema)
		require.NoError(t, err)
		f.exec(t, "create table "+schema+".notes (body text)")
	}
	db, err := schemactx.New(
		f.pool(t, f.roles.Runtime(), "r"),
		schemactx.Config{Roles: f.roles, Hooks: l.SchemaHooks(hooks)},
	)
	require.NoError(t, err)
	return db
}

func TestSwitchesAndRefusedStatementsAreLogged(t *testing.T) {
	t.Parallel()
	f := setupAlone(t)
	l := f.open(t, audit.Config{})
	calls := 0
	db := f.school(t, l, schemactx.Hooks{
		SchemaSwitch:     func(context.Context, schemactx.SchemaSwitch) { calls++ },
		StatementFailure: func(context.Context, schemactx.StatementFailure) { calls++ },
	})
	ctx := tenancy.NewContext(t.Context(), &tenancy.Tenant{ID: 1, Slug: "a", Schema: "tenant_1"})
	_, err := db.Exec(ctx, "select body from tenant_2.notes where body = 'confidential'")
	require.Equal(t, "42501", stateOf(err), err)
	_, err = db.Exec(ctx, "select nonsense")
	require.Equal(t, "42703", stateOf(err), err)
	require.NoError(t, schemactx.WithSchema(ctx, "tenant_2", func(ctx context.Context) error {
		_, err := db.Exec(ctx, "select 1")
		return err
	}))
	require.NoError(t, l.Flush(t.Context()))
	assert.Equal(t, 3, calls, "calls of the program's own hooks: %d", calls)
	got := f.list(t, audit.Filter{Tenants: []int64{1}})
	require.Len(t, got, 2)
	denied, switched := got[0], got[1]
	assert.Equal(t, audit.PermissionDenied, denied.Action, denied)
	assert.Equal(t, "a", denied.Slug, denied)
	assert.Equal(t, "42501", denied.Details["sqlstate"], denied)
	assert.Equal(t, "select", denied.Details["command"], denied)
	text, _ := json.Marshal(denied.Details)
	assert.NotContains(t, string(text), "confidential", "a statement is in the log")
	if assert.Equal(t, audit.ExplicitSwitch, switched.Action, switched) &&
		assert.Equal(t, "tenant_2", switched.Schema, switched) &&
		assert.Equal(t, "tenant_1", switched.Details["from"], switched) &&
		assert.Equal(t, "hooks_test.go", switched.Details["file"], switched) {
		assert.Contains(t, switched.Details["func"].(string), "TestSwitches", switched)
	}
	f.verify(t)
}

// A log that writes through the handle with its own hooks does not log its own failures. Otherwise
// each failure would cause another one.
func TestTheLogDoesNotLogItself(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var l *audit.Log
	hooks := schemactx.Hooks{StatementFailure: func(ctx context.Context, data schemactx.StatementFailure) {
		l.SchemaHooks(schemactx.Hooks{}).StatementFailure(ctx, data)
	}}
	db, err := schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles, Hooks: hooks})
	require.NoError(t, err)
	l, err = audit.Open(t.Context(), db, audit.Config{Linger: time.Millisecond})
	require.NoError(t, err)
	f.exec(
		t,
		"revoke all on public.audit_heads from "+f.roles.Public()+"; "+
			"revoke insert (chain, position, month, digest) on public.audit_heads from "+f.roles.Public(),
	)
	require.NoError(t, l.Record(t.Context(), audit.Entry{Action: audit.Login}))
	eventually(t, "a failure", func() bool { return stateOf(l.Status().Err) == "42501" })
	require.NoError(t, audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{f.roles.Public()}}))
	require.NoError(t, l.Flush(t.Context()))
	s := l.Status()
	assert.Equal(t, int64(1), s.Recorded, "%d entries", s.Recorded)
	closeLog(t, l)
	f.verify(t)
}

func TestMigrationsOfTheFleetAreLogged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	calls := l.MigrateEvents(t.Context())
	f.exec(
		t,
		"insert into schema_names values ('tenant_1', 7); insert into tenants (id, schema_name, slug, name, status) "+
			"overriding system value values (7, 'tenant_1', 'north', 'North', 'suspended')",
	)
	f.exec(t, "grant select on tenants, domains to "+f.roles.Public()) // as Init does
	calls(migrate.Event{Kind: migrate.EventStarted, Schema: "tenant_1"})
	calls(
		migrate.Event{
			Kind:   migrate.EventFinished,
			Schema: "tenant_1",
			Result: migrate.Result{Outcome: migrate.Migrated, Applied: []int64{3, 4}},
		},
	)
	calls(
		migrate.Event{
			Kind:   migrate.EventFinished,
			Schema: "tenant_2",
			Result: migrate.Result{Outcome: migrate.Failed, Err: errors.New("bad")},
		},
	)
	require.NoError(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Actions: []audit.Action{audit.Migration}})
	if assert.Len(t, got, 2) &&
		assert.Equal(t, "tenant_1", got[0].Schema) &&
		assert.Equal(t, "bad", got[1].Details["error"]) {
		assert.Equal(t, "failed", got[1].Details["outcome"])
	}
	if assert.Equal(t, int64(7), got[0].Tenant, got) &&
		assert.Equal(t, "north", got[0].Slug, got) &&
		assert.Equal(t, "[3 4]", fmt.Sprint(got[0].Details["applied"]), got) {
		assert.Zero(t, got[1].Tenant, got)
	}
	// Without the registry the entry has only the schema.
	f.exec(t, "revoke select on tenants from "+f.roles.Public())
	l.MigrateEvents(
		t.Context(),
	)(
		migrate.Event{Kind: migrate.EventFinished, Schema: "tenant_1", Result: migrate.Result{Outcome: migrate.Current}},
	)
	require.NoError(t, l.Flush(t.Context()))
	got = f.list(t, audit.Filter{Actions: []audit.Action{audit.Migration}})
	if assert.Len(t, got, 3) && assert.Zero(t, got[2].Tenant) {
		assert.Equal(t, "tenant_1", got[2].Schema)
	}
}
