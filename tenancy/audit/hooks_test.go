package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// manager returns one whose tenants have a table of notes and whose life is logged.
func (f *fixture) manager(t testing.TB, l *audit.Log, approve tenancy.Approver) *tenancy.Manager {
	t.Helper()
	runner, err := migrate.New(f.owner, migrate.Config{
		Shared: shared,
		Tenant: []migrate.Source{{Name: "test", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	})
	check(t, err)
	m, err := tenancy.New(f.owner, tenancy.Config{
		Migrator: runner, Roles: f.roles, Hooks: l.TenancyHooks(tenancy.Hooks{}),
		Drop: tenancy.DropConfig{Enabled: true, Notify: l.NotifyDrop, Approve: approve},
	})
	check(t, err)
	check(t, m.Init(t.Context()))
	return m
}

// actions are those of the log, but for its own, from the oldest on.
func (f *fixture) actions(t testing.TB, filter audit.Filter) (actions []string) {
	t.Helper()
	for _, r := range f.list(t, filter) {
		if !strings.HasPrefix(string(r.Action), "log_") {
			actions = append(actions, string(r.Action))
		}
	}
	return actions
}

func TestATenantsLifeIsLogged(t *testing.T) {
	t.Parallel()
	f := setupAlone(t)
	l := f.open(t, audit.Config{})
	m := f.manager(t, l, l.ApproveDrop(nil))
	ctx := audit.NewContext(t.Context(), audit.Caller{Actor: "ada", RequestID: "r-1"})
	tenant, err := m.Create(ctx, tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
	check(t, err)
	_, err = m.Suspend(ctx, "acme", "unpaid")
	check(t, err)
	_, err = m.Activate(ctx, "acme")
	check(t, err)
	_, err = m.AddDomain(ctx, "acme", "www.acme.example.com")
	check(t, err)
	request, err := m.RequestDrop(ctx, "acme", "ada")
	check(t, err)
	_, err = m.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "eve", Token: request.Token})
	if err == nil {
		t.Fatal("dropped by another")
	}
	_, err = m.Drop(ctx, tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token})
	check(t, err)

	// The tenant is gone, and its log is not.
	want := []string{
		"create", "migration", "create", "create", "suspend", "activate", "domain_change",
		"drop_requested", "drop_refused", "drop_approved", "drop_started", "drop_step", "drop_step", "drop_step", "drop_done",
	}
	if got := f.actions(t, audit.Filter{Tenants: []int64{tenant.ID}}); !slices.Equal(got, want) {
		t.Errorf("logged %v, want %v", got, want)
	}
	for _, r := range f.list(t, audit.Filter{Tenants: []int64{tenant.ID}}) {
		if r.Action != audit.LogOpened && (r.Actor != "ada" && r.Action != audit.DropRefused || r.RequestID != "r-1" || r.Slug != "acme") {
			t.Errorf("got %+v", r.Entry)
		}
		if r.Action == audit.DropRefused && (r.Actor != "eve" || r.Details["error"] == nil) || r.Action == audit.Suspend && r.Details["reason"] != "unpaid" {
			t.Errorf("got %+v", r.Entry)
		}
		if text, _ := json.Marshal(r.Details); strings.Contains(string(text), request.Token) {
			t.Errorf("the token is in the log: %s", text)
		}
	}
	f.verify(t)
}

func TestNothingIsDroppedThatCannotBeLogged(t *testing.T) {
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
	check(t, err)
	request, err := m.RequestDrop(t.Context(), "acme", "ada")
	check(t, err)
	params := tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token}
	_, err = m.Drop(t.Context(), params)
	expectIs(t, err, tenancy.ErrDropNotApproved)
	params.Proof = "yes"
	f.exec(t, "alter table public.audit_log rename to audit_log_away")
	_, err = m.Drop(t.Context(), params)
	expectIs(t, err, tenancy.ErrDropNotApproved)
	if still, err := m.BySlug(t.Context(), "acme"); err != nil || still.Status != tenancy.Active {
		t.Errorf("%v, %v", still, err)
	}
	f.exec(t, "alter table public.audit_log_away rename to audit_log")
	_, err = m.Drop(t.Context(), params)
	check(t, err)
	check(t, l.Flush(t.Context())) // what could not be written meanwhile was recorded
	if n := f.count(t, "action = 'drop_refused'"); n != 2 {
		t.Errorf("%d refusals are logged", n)
	}
	f.verify(t)
}

// school is two tenants, and a handle whose hooks are the log's.
func (f *fixture) school(t testing.TB, l *audit.Log, hooks schemactx.Hooks) *schemactx.DB {
	t.Helper()
	for _, schema := range []string{"tenant_1", "tenant_2"} {
		_, err := admin.Provision(t.Context(), f.owner, f.roles, schema)
		check(t, err)
		f.exec(t, "create table "+schema+".notes (body text)")
	}
	db, err := schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles, Hooks: l.SchemaHooks(hooks)})
	check(t, err)
	return db
}

func TestSwitchesAndRefusedStatementsAreLogged(t *testing.T) {
	t.Parallel()
	f := setupAlone(t)
	l := f.open(t, audit.Config{})
	told := 0
	db := f.school(t, l, schemactx.Hooks{
		Switched: func(context.Context, schemactx.SwitchedData) { told++ },
		Failed:   func(context.Context, schemactx.FailedData) { told++ },
	})
	ctx := tenancy.NewContext(t.Context(), &tenancy.Tenant{ID: 1, Slug: "a", Schema: "tenant_1"})
	_, err := db.Exec(ctx, "select body from tenant_2.notes where body = 'confidential'")
	if stateOf(err) != "42501" {
		t.Fatalf("got %v", err)
	}
	_, err = db.Exec(ctx, "select nonsense")
	if stateOf(err) != "42703" {
		t.Fatalf("got %v", err)
	}
	check(t, schemactx.WithSchema(ctx, "tenant_2", func(ctx context.Context) error {
		_, err := db.Exec(ctx, "select 1")
		return err
	}))
	check(t, l.Flush(t.Context()))
	if told != 3 {
		t.Errorf("the program's own hooks were told %d times", told)
	}
	got := f.list(t, audit.Filter{Tenants: []int64{1}})
	if len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	denied, switched := got[0], got[1]
	if denied.Action != audit.PermissionDenied || denied.Slug != "a" || denied.Details["sqlstate"] != "42501" || denied.Details["command"] != "select" {
		t.Errorf("got %+v", denied)
	}
	if text, _ := json.Marshal(denied.Details); strings.Contains(string(text), "confidential") {
		t.Errorf("a statement is in the log: %s", text)
	}
	if switched.Action != audit.ExplicitSwitch || switched.Schema != "tenant_2" || switched.Details["from"] != "tenant_1" ||
		switched.Details["file"] != "hooks_test.go" || !strings.Contains(switched.Details["func"].(string), "TestSwitches") {
		t.Errorf("got %+v", switched)
	}
	f.verify(t)
}

// A log that writes through the handle that it watches does not log its own failures, which would go on for ever.
func TestTheLogDoesNotLogItself(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var l *audit.Log
	hooks := schemactx.Hooks{Failed: func(ctx context.Context, data schemactx.FailedData) {
		l.SchemaHooks(schemactx.Hooks{}).Failed(ctx, data)
	}}
	db, err := schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles, Hooks: hooks})
	check(t, err)
	l, err = audit.Open(t.Context(), db, audit.Config{Linger: time.Millisecond})
	check(t, err)
	f.exec(t, "revoke all on public.audit_heads from "+f.roles.Public()+"; revoke insert (chain, position, month, digest) on public.audit_heads from "+f.roles.Public())
	check(t, l.Record(t.Context(), audit.Entry{Action: audit.Login}))
	eventually(t, "a failure", func() bool { return stateOf(l.Status().Err) == "42501" })
	check(t, audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{f.roles.Public()}}))
	check(t, l.Flush(t.Context()))
	if s := l.Status(); s.Recorded != 1 {
		t.Errorf("%d entries", s.Recorded)
	}
	closeLog(t, l)
	f.verify(t)
}

func TestMigrationsOfTheFleetAreLogged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	told := l.MigrateEvents(t.Context())
	f.exec(t, "insert into schema_names values ('tenant_1', 7); insert into tenants (id, schema_name, slug, name, status) overriding system value values (7, 'tenant_1', 'north', 'North', 'suspended')")
	f.exec(t, "grant select on tenants, domains to "+f.roles.Public()) // as Init does
	told(migrate.Event{Kind: migrate.EventStarted, Schema: "tenant_1"})
	told(migrate.Event{Kind: migrate.EventFinished, Schema: "tenant_1", Result: migrate.Result{Outcome: migrate.Migrated, Applied: []int64{3, 4}}})
	told(migrate.Event{Kind: migrate.EventFinished, Schema: "tenant_2", Result: migrate.Result{Outcome: migrate.Failed, Err: errors.New("bad")}})
	check(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Actions: []audit.Action{audit.Migration}})
	if len(got) != 2 || got[0].Schema != "tenant_1" || got[1].Details["error"] != "bad" || got[1].Details["outcome"] != "failed" {
		t.Errorf("got %v", got)
	}
	if got[0].Tenant != 7 || got[0].Slug != "north" || fmt.Sprint(got[0].Details["applied"]) != "[3 4]" || got[1].Tenant != 0 {
		t.Errorf("got %v", got)
	}
	// Without the registry the schema has to do.
	f.exec(t, "revoke select on tenants from "+f.roles.Public())
	l.MigrateEvents(t.Context())(migrate.Event{Kind: migrate.EventFinished, Schema: "tenant_1", Result: migrate.Result{Outcome: migrate.Current}})
	check(t, l.Flush(t.Context()))
	got = f.list(t, audit.Filter{Actions: []audit.Action{audit.Migration}})
	if len(got) != 3 || got[2].Tenant != 0 || got[2].Schema != "tenant_1" {
		t.Errorf("got %v", got)
	}
}
