package tenancy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// build migrates a staged schema and gives it one note.
func (f *fixture) build(t testing.TB, s *tenancy.Staging, body string) {
	t.Helper()
	check(t, buildNote(t.Context(), f.migrator, f.owner, s.Schema(), body))
}

// buildNote is what a process does that is to be killed, too.
func buildNote(ctx context.Context, m tenancy.Migrator, owner admin.Beginner, schema, body string) error {
	if err := m.Migrate(ctx, schema); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into "+pgx.Identifier{schema, "notes"}.Sanitize()+" values ($1)", body)
		return err
	})
}

// notesIn reads a schema's notes as the owner.
func (f *fixture) notesIn(t testing.TB, schema string) []string {
	t.Helper()
	rows, err := f.owner.Query(t.Context(), "select body from "+pgx.Identifier{schema, "notes"}.Sanitize()+" order by 1")
	check(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	return notes
}

// seen are the notes that the tenant sees, as the runtime login.
func (f *fixture) seen(t testing.TB, tenant tenancy.Tenant) []string {
	t.Helper()
	rows, err := f.db.Query(tenancy.NewContext(t.Context(), &tenant), "select body from notes order by 1")
	check(t, err)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	return notes
}

func (f *fixture) staged(t testing.TB, slug, body string) *tenancy.Staging {
	t.Helper()
	s, err := f.tenants.StageReplacement(t.Context(), slug)
	check(t, err)
	t.Cleanup(func() { check(t, s.Close(context.WithoutCancel(t.Context()))) })
	f.build(t, s, body)
	return s
}

// replace gives a tenant a schema with one note, "new".
func (f *fixture) replace(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	s := f.staged(t, slug, "new")
	replaced, err := s.Replace(t.Context())
	check(t, err)
	check(t, s.Close(t.Context()))
	return replaced
}

func (f *fixture) sides(t testing.TB) (states []string) {
	t.Helper()
	all, err := f.tenants.AuxiliarySchemas(t.Context())
	check(t, err)
	for _, s := range all {
		states = append(states, fmt.Sprintf("%s retained: %t", s.Schema, s.Retained))
	}
	return states
}

func TestAStagedSchemaBecomesATenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{
		Slug: "a", Name: "A", Domain: "A.example.com", Domains: []string{"b.example.com", "a.example.com"}, Status: tenancy.Suspended, Reason: "unpaid",
		Plan: "gold", Limits: map[string]int64{"connections": 3}, Metadata: json.RawMessage(`{"x":1}`),
	})
	check(t, err)
	f.build(t, s, "one")
	_, err = f.tenants.BySlug(t.Context(), "a")
	expectIs(t, err, tenancy.ErrNotFound)
	got, err := s.Adopt(t.Context())
	check(t, err)
	check(t, s.Close(t.Context()))
	if got.Schema != s.Schema() || got.ID != s.TenantID() || got.Status != tenancy.Suspended || got.Reason != "unpaid" ||
		got.Plan != "gold" || got.Limits["connections"] != 3 || string(got.Metadata) != `{"x": 1}` {
		t.Errorf("adopted %+v", got)
	}
	f.expectHosts(t, "a", "a! b")
	if notes := f.seen(t, got); !slices.Equal(notes, []string{"one"}) {
		t.Errorf("notes %q", notes)
	}
	_, err = s.Adopt(t.Context())
	expectIs(t, err, tenancy.ErrStagingLost)
	if left := f.sides(t); len(left) != 0 {
		t.Errorf("left %q", left)
	}
	f.expectInvariants(t)
}

func TestWhatCannotBeAdoptedIsRefusedBeforeAnythingIsBuilt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	before := f.snapshot(t)
	for field, p := range map[string]tenancy.AdoptParams{
		"slug":     {Slug: "A b", Domain: "x.example.com"},
		"domain":   {Slug: "x", Domain: "not a host"},
		"status":   {Slug: "x", Domain: "x.example.com", Status: tenancy.Dropping},
		"reason":   {Slug: "x", Domain: "x.example.com", Reason: "why"},
		"metadata": {Slug: "x", Domain: "x.example.com", Metadata: json.RawMessage("[]")},
		"limits":   {Slug: "x", Domain: "x.example.com", Limits: map[string]int64{"x": -1}},
		"plan":     {Slug: "x", Domain: "x.example.com", Plan: "a\nb"},
	} {
		_, err := f.tenants.StageTenant(t.Context(), p)
		expectField(t, err, field)
	}
	_, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "a", Domain: "x.example.com"})
	expectIs(t, err, tenancy.ErrSlugTaken)
	_, err = f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "x", Domain: "x.example.com", Domains: []string{"a.example.com"}})
	expectIs(t, err, tenancy.ErrDomainTaken)
	if after := f.snapshot(t); after != before {
		t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
	}
}

func TestWhoComesSecondIsNotAdopted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	s, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "a", Domain: "a.example.com"})
	check(t, err)
	f.create(t, "a")
	before := f.snapshot(t)
	_, err = s.Adopt(t.Context())
	expectIs(t, err, tenancy.ErrSlugTaken)
	var stepErr *tenancy.StepError
	if !errors.As(err, &stepErr) || stepErr.Op != tenancy.OpAdopt {
		t.Errorf("got %v", err)
	}
	if after := f.snapshot(t); after != before {
		t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
	}
	check(t, s.Close(t.Context()))
	check(t, s.Close(t.Context()))
	f.expectInvariants(t)
}

func TestAReplacementIsServedAndTheOldSchemaClosed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.note(t, a, "old")
	s := f.staged(t, "a", "new")
	got, err := s.Replace(t.Context())
	check(t, err)
	if got.ID != a.ID || got.Schema != s.Schema() || got.Status != tenancy.Active {
		t.Errorf("replaced %+v", got)
	}
	if notes := f.seen(t, got); !slices.Equal(notes, []string{"new"}) {
		t.Errorf("notes %q", notes)
	}
	_, err = f.db.Exec(tenancy.NewContext(t.Context(), &a), "insert into notes values ('lost')") // who has not heard of it
	expectIs(t, err, schemactx.ErrNotProvisioned)
	aside, err := f.tenants.RetainedSchema(t.Context(), "a")
	check(t, err)
	if aside.Schema != a.Schema || !slices.Equal(f.notesIn(t, aside.Schema), []string{"old"}) {
		t.Errorf("aside %+v", aside)
	}
	var replaced *tenancy.ReplacedError
	if _, err := f.tenants.StageReplacement(t.Context(), "a"); !errors.As(err, &replaced) || replaced.Retained != a.Schema {
		t.Errorf("a second replacement: %v", err)
	}
}

func TestARevertTakesTheOldSchemaBackAndASecondOneTheNew(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.note(t, a, "old")
	replaced := f.replace(t, "a")
	_, err := f.tenants.RevertReplacement(t.Context(), "a", replaced.Schema)
	expectIs(t, err, tenancy.ErrNoRetainedSchema)
	for i, want := range []string{"old", "new", "old"} {
		aside, err := f.tenants.RetainedSchema(t.Context(), "a")
		check(t, err)
		got, err := f.tenants.RevertReplacement(t.Context(), "a", aside.Schema)
		check(t, err)
		if got.Status != tenancy.Active || got.Schema != aside.Schema || !slices.Equal(f.seen(t, got), []string{want}) {
			t.Errorf("revert %d: %+v", i, got)
		}
		other := replaced
		if want == "new" {
			other = a
		}
		_, err = f.db.Exec(tenancy.NewContext(t.Context(), &other), "insert into notes values ('lost')")
		expectIs(t, err, schemactx.ErrNotProvisioned)
	}
}

func TestAConfirmedReplacementLeavesNothingOfTheOldSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	replaced := f.replace(t, "a")
	for _, schema := range []string{replaced.Schema, "tenant_77", "", "a\x00b"} {
		_, err := confirmed(t.Context(), f.twoPeople(t), "a", schema)
		expectIs(t, err, tenancy.ErrNoRetainedSchema)
	}
	got, err := confirmed(t.Context(), f.twoPeople(t), "a", a.Schema)
	check(t, err)
	if !slices.Equal(f.seen(t, got), []string{"new"}) {
		t.Error("the new notes are gone")
	}
	_, err = confirmed(t.Context(), f.twoPeople(t), "a", a.Schema)
	expectIs(t, err, tenancy.ErrNoRetainedSchema)
	if left := f.sides(t); len(left) != 0 {
		t.Errorf("left %q", left)
	}
	f.expectInvariants(t)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "b"})
	check(t, err)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: strings.Clone(replaced.Schema)})
	expectIs(t, err, admin.ErrTaken) // as the names of all schemas that the tenant has had
}

func TestAConfirmationIsRefusedWhileSomethingDependsOnTheOldSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	_, err := f.pg.Pool.Exec(t.Context(), "create view public.all_notes as select * from "+a.Schema+".notes")
	check(t, err)
	_, err = confirmed(t.Context(), f.twoPeople(t), "a", a.Schema)
	var dependents *admin.DependentsError
	if !errors.As(err, &dependents) {
		t.Errorf("got %v", err)
	}
	_, err = f.tenants.RevertReplacement(t.Context(), "a", a.Schema)
	check(t, err)
}

func TestAReplacementKeepsTheTenantsStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for slug, change := range map[string]func() (tenancy.Tenant, error){
		"a": func() (tenancy.Tenant, error) { return f.tenants.Suspend(t.Context(), "a", "unpaid") },
		"b": func() (tenancy.Tenant, error) {
			return f.tenants.StartMaintenance(t.Context(), "b", tenancy.MaintenanceParams{Reason: "moving"})
		},
	} {
		f.create(t, slug)
		before, err := change()
		check(t, err)
		after := f.replace(t, slug)
		if after.Status != before.Status || after.Reason != before.Reason {
			t.Errorf("replaced %+v", after)
		}
		after, err = f.tenants.RevertReplacement(t.Context(), slug, before.Schema)
		check(t, err)
		if after.Status != before.Status || after.Reason != before.Reason {
			t.Errorf("reverted %+v", after)
		}
	}
}

func TestAReplacementWaitsForWritersThatRun(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	s := f.staged(t, "a", "new")
	ctx := tenancy.NewContext(t.Context(), &a)
	tx, err := f.db.Begin(ctx)
	check(t, err)
	_, err = tx.Exec(ctx, "insert into notes values ('in flight')")
	check(t, err)
	stopped, stop := context.WithCancel(t.Context())
	replaced := make(chan error, 1)
	go func() {
		_, err := s.Replace(stopped)
		replaced <- err
	}()
	f.awaitWaiter(t, a.Schema)
	stop()
	err = <-replaced
	var stepErr *tenancy.StepError
	if !errors.As(err, &stepErr) || stepErr.Step != "close" || stepErr.Tenant.Status != tenancy.Maintenance {
		t.Errorf("got %v", err)
	}
	_, err = tx.Exec(ctx, "insert into notes values ('late')")
	if err == nil {
		t.Error("it goes on writing")
	}
	_ = tx.Rollback(ctx)
	got, err := f.tenants.Resume(t.Context(), "a")
	check(t, err)
	if got.Status != tenancy.Active {
		t.Errorf("resumed %+v", got)
	}
	_, err = f.tenants.Resume(t.Context(), "a")
	expectIs(t, err, tenancy.ErrStatus)
}

// awaitWaiter waits until somebody waits for a lock on a schema's table of notes.
func (f *fixture) awaitWaiter(t *testing.T, schema string) {
	t.Helper()
	for waits := false; !waits; {
		check(t, f.pg.Pool.QueryRow(t.Context(), "select exists (select from pg_locks where relation = $1::text::regclass and not granted)",
			schema+".notes").Scan(&waits))
	}
}

func TestWhatCannotBeReplacedIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.tenants.StageReplacement(t.Context(), "nobody")
	expectIs(t, err, tenancy.ErrNotFound)
	f.create(t, "a")
	scratch, err := f.tenants.StageScratch(t.Context())
	check(t, err)
	_, err = scratch.Replace(t.Context())
	expectIs(t, err, tenancy.ErrStagingLost)
	_, err = scratch.Adopt(t.Context())
	expectIs(t, err, tenancy.ErrStagingLost)
	check(t, scratch.Close(t.Context()))
	f.create(t, "b")
	f.stuck(t, "b", "new_b")
	_, err = f.tenants.StageReplacement(t.Context(), "b")
	expectIs(t, err, tenancy.ErrBusy)
	_, err = f.tenants.Resume(t.Context(), "b")
	check(t, err)

	// What has changed while it was built.
	s := f.staged(t, "a", "new")
	dropper, _ := f.droppers(t, tenancy.DropConfig{})
	_, err = dropper.Drop(t.Context(), request(t, dropper, "a"))
	expectIs(t, err, tenancy.ErrStatus)
	f.stuck(t, "a", "new_a")
	_, err = s.Replace(t.Context())
	expectIs(t, err, tenancy.ErrBusy)
	check(t, s.Close(t.Context()))
	_, err = f.tenants.Resume(t.Context(), "a")
	check(t, err)
	f.expectInvariants(t)
}

func TestADropTakesWhatIsKeptAside(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	replaced := f.replace(t, "a")
	dropper, _ := f.droppers(t, tenancy.DropConfig{})
	_, err := dropper.Drop(t.Context(), request(t, dropper, "a"))
	check(t, err)
	for _, tenant := range []tenancy.Tenant{a, replaced} {
		if left := f.left(t, tenant); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
	f.expectInvariants(t)
}

func TestASweepTakesWhatNobodyBuildsAnyMore(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	live := f.staged(t, "a", "new")
	dead, err := f.tenants.StageScratch(t.Context())
	check(t, err)
	_, err = f.pg.Pool.Exec(t.Context(), `select pg_terminate_backend(pid) from public.registry_locks
		where key = 'side ' || (select id from public.side_schemas where schema_name = $1)`, dead.Schema())
	check(t, err)
	report := tenancy.SweepReport{}
	for len(report.Dropped) == 0 { // the session takes a moment to end
		report, err = f.tenants.SweepStagedSchemas(t.Context())
		check(t, err)
	}
	if !slices.Equal(report.Dropped, []string{dead.Schema()}) || !slices.Equal(report.InUse, []string{live.Schema()}) {
		t.Errorf("swept %+v", report)
	}
	_ = dead.Close(t.Context())
	_, err = live.Replace(t.Context())
	check(t, err)
	report, err = f.tenants.SweepStagedSchemas(t.Context())
	check(t, err)
	if len(report.Dropped)+len(report.InUse) > 0 {
		t.Errorf("swept what was a tenant's: %+v", report)
	}
}

func TestAStagedSchemaIsDroppedWhenTheContextIsOver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	before := f.snapshot(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := f.tenants.StageTenant(ctx, tenancy.AdoptParams{Slug: "a", Domain: "a.example.com"})
	check(t, err)
	f.build(t, s, "x")
	cancel()
	_, err = s.Adopt(ctx)
	expectIs(t, err, context.Canceled)
	check(t, s.Close(ctx))
	if after := f.snapshot(t); after != before {
		t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
	}
}
