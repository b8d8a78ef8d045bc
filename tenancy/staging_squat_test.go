package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// A registry that was taken back from a backup gives out ids again, and does not know the tenants that had them.
func TestASchemaThatTheRegistryHasForgottenIsNotStagedOver(t *testing.T) {
	t.Parallel()
	f := setup(t)
	live := f.create(t, "a")
	f.note(t, live, "precious")
	for _, sql := range []string{
		"with hosts as (delete from public.domains) delete from public.tenants", "delete from public.schema_names",
		"alter table public.tenants alter column id restart",
	} {
		_, err := f.owner.Exec(t.Context(), sql)
		check(t, err)
	}
	_, err := f.tenants.StageTenant(t.Context(), tenancy.AdoptParams{Slug: "b", Domain: "b.example.com"})
	expectIs(t, err, schemactx.ErrTaken)
	_, err = f.tenants.SweepSideSchemas(t.Context())
	check(t, err)
	if notes := f.seen(t, live); !slices.Equal(notes, []string{"precious"}) {
		t.Errorf("notes %q", notes)
	}
	if left := f.sides(t); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}

func TestADropBesideAStagingThatBeginsLeavesNoSchemaOfNobody(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	// A schema of the name that is not committed: the staging has been noted, and waits.
	blocker, err := f.pg.Pool.Begin(ctx)
	check(t, err)
	defer blocker.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // for the case of a failure
	_, err = blocker.Exec(ctx, fmt.Sprintf("create schema tenant_%d_r1", a.ID))
	check(t, err)
	staged := make(chan error, 1)
	var s *tenancy.Staging
	go func() {
		var err error
		s, err = f.tenants.StageReplacement(ctx, "a")
		staged <- err
	}()
	for waits := false; !waits; {
		check(t, f.pg.Pool.QueryRow(ctx, `select exists (select from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock' and query ilike 'create schema%')`).Scan(&waits))
	}
	dropper, _ := f.droppers(t, tenancy.DropConfig{})
	_, err = dropper.Drop(ctx, request(t, dropper, "a"))
	check(t, err)
	check(t, blocker.Rollback(ctx))
	check(t, <-staged)
	_, err = s.Replace(ctx)
	expectIs(t, err, tenancy.ErrNotFound)
	check(t, s.Close(ctx))
	f.expectInvariants(t)
	if left := f.sides(t); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}

// halted makes a revert stop behind its switch.
func (f *fixture) halted(t *testing.T, slug string, aside string) {
	t.Helper()
	m := f.manager(t, tenancy.Config{Hooks: tenancy.Hooks{Before: func(_ context.Context, data tenancy.StepData) error {
		if data.Step == "open" {
			return pgx.ErrTxClosed
		}
		return nil
	}}})
	_, err := m.RevertReplacement(t.Context(), slug, aside)
	expectIs(t, err, pgx.ErrTxClosed)
}

func TestARevertThatStoppedIsEndedByWhateverServesTheTenantAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	suspend := func(slug string) (tenancy.Tenant, error) { return f.tenants.Suspend(t.Context(), slug, "unpaid") }
	maintain := func(slug string) (tenancy.Tenant, error) {
		return f.tenants.StartMaintenance(t.Context(), slug, tenancy.MaintenanceParams{})
	}
	activate := func(slug string, _ tenancy.Tenant) error {
		_, err := f.tenants.Activate(t.Context(), slug)
		return err
	}
	end := func(slug string, _ tenancy.Tenant) error {
		_, err := f.tenants.EndMaintenance(t.Context(), slug)
		return err
	}
	resume := func(slug string, _ tenancy.Tenant) error {
		_, err := f.tenants.Resume(t.Context(), slug)
		return err
	}
	again := func(slug string, old tenancy.Tenant) error {
		_, err := f.tenants.RevertReplacement(t.Context(), slug, old.Schema)
		return err
	}
	none := func(slug string) (tenancy.Tenant, error) { return f.tenants.BySlug(t.Context(), slug) }
	for slug, c := range map[string]struct {
		before func(slug string) (tenancy.Tenant, error)
		after  []func(slug string, old tenancy.Tenant) error
	}{
		"suspended-activate":  {suspend, []func(string, tenancy.Tenant) error{activate}},
		"suspended-resume":    {suspend, []func(string, tenancy.Tenant) error{resume, activate}},
		"suspended-again":     {suspend, []func(string, tenancy.Tenant) error{again, activate}},
		"maintenance-end":     {maintain, []func(string, tenancy.Tenant) error{end}},
		"maintenance-again":   {maintain, []func(string, tenancy.Tenant) error{again, end}},
		"active-end":          {none, []func(string, tenancy.Tenant) error{end}},
		"suspended-after-all": {none, []func(string, tenancy.Tenant) error{func(slug string, _ tenancy.Tenant) error { _, err := suspend(slug); return err }, activate}},
	} {
		old := f.create(t, slug)
		f.note(t, old, "old")
		replaced := f.replace(t, slug)
		_, err := c.before(slug)
		check(t, err)
		f.halted(t, slug, old.Schema)
		for i, op := range c.after {
			if err := op(slug, old); err != nil {
				t.Errorf("%s, step %d: %v", slug, i, err)
			}
		}
		f.expectServed(t, slug, "old", "new")
		_, err = f.db.Exec(tenancy.NewContext(t.Context(), &replaced), "insert into notes values ('lost')")
		expectIs(t, err, schemactx.ErrNotProvisioned)
		_, err = f.tenants.Resume(t.Context(), slug)
		expectIs(t, err, tenancy.ErrStatus)
	}
}

func TestADropCountsWhatIsKeptAsideAndRefusesWhereSomethingDependsOnIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	dropper, _ := f.droppers(t, tenancy.DropConfig{})
	alone, err := dropper.RequestDrop(t.Context(), "a", actor)
	check(t, err)
	f.replace(t, "a")
	both, err := dropper.RequestDrop(t.Context(), "a", actor)
	check(t, err)
	if alone.Contents.Tables == 0 || both.Contents.Tables != 2*alone.Contents.Tables || both.Contents.Bytes <= alone.Contents.Bytes {
		t.Errorf("contents %+v, and with what is aside %+v", alone.Contents, both.Contents)
	}
	_, err = f.pg.Pool.Exec(t.Context(), "create view public.all_notes as select * from "+a.Schema+".notes")
	check(t, err)
	before := f.snapshot(t)
	_, err = dropper.Drop(t.Context(), request(t, dropper, "a"))
	var dependents *schemactx.DependentsError
	if !errors.As(err, &dependents) {
		t.Errorf("got %v", err)
	}
	if after := f.snapshot(t); after != before {
		t.Errorf("changed:\n%s\nbefore:\n%s", after, before)
	}
}
