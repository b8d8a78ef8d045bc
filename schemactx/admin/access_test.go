package admin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestRevokedAccessIsRestored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, "create table tenant_a.private (body text)")
	db := f.db
	ctx := schemactx.NewContext(t.Context(), "tenant_a")
	write := func() error {
		_, err := db.Exec(ctx, "insert into notes values (7, 'x') on conflict do nothing")
		return err
	}
	f.exec(t, "revoke all on tenant_a.private from "+f.roles.Tenant("tenant_a")) // as of a version table
	check(t, write())
	before := f.fingerprint(t, "tenant_a")
	for i, want := range []bool{true, false} {
		report, err := admin.RevokeAccess(t.Context(), f.owner, f.roles, "tenant_a")
		check(t, err)
		if report.Changed() != want {
			t.Errorf("revoke %d changed: %t", i, report.Changed())
		}
	}
	if err := write(); !errors.Is(err, schemactx.ErrNotProvisioned) {
		t.Errorf("a write without access: %v", err)
	}
	for i, want := range []bool{true, false} {
		report, err := admin.RestoreAccess(t.Context(), f.owner, f.roles, "tenant_a")
		check(t, err)
		if report.Changed() != want {
			t.Errorf("restore %d changed: %t", i, report.Changed())
		}
	}
	if after := f.fingerprint(t, "tenant_a"); after != before {
		t.Errorf("the schema has changed:\n%s\nbefore:\n%s", after, before)
	}
	check(t, write())
}

func TestRevokeAccessWaitsForWriters(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := schemactx.NewContext(t.Context(), "tenant_a")
	tx, err := f.db.Begin(ctx)
	check(t, err)
	_, err = tx.Exec(ctx, "insert into notes values (7, 'in flight')")
	check(t, err)
	stopped, stop := context.WithCancel(t.Context())
	type result struct {
		report admin.AccessReport
		err    error
	}
	revoked := make(chan result, 1)
	go func() {
		report, err := admin.RevokeAccess(stopped, f.owner, f.roles, "tenant_a")
		revoked <- result{report, err}
	}()
	for waits := false; !waits; {
		check(t, f.pg.Pool.QueryRow(t.Context(), "select exists (select from pg_locks where relation = 'tenant_a.notes'::regclass and not granted)").Scan(&waits))
	}
	stop()
	if got := <-revoked; !errors.Is(got.err, context.Canceled) || !got.report.Changed() {
		t.Errorf("%+v", got)
	}
	check(t, tx.Rollback(ctx))
	_, err = admin.RevokeAccess(t.Context(), f.owner, f.roles, "tenant_a")
	check(t, err)
}

func TestRevokeAndRestoreRefuseInvalidSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, fn := range []func(context.Context, admin.Beginner, schemactx.RoleNames, string) (admin.AccessReport, error){admin.RevokeAccess, admin.RestoreAccess} {
		_, err := fn(t.Context(), f.owner, f.roles, "nowhere")
		if !errors.Is(err, schemactx.ErrSchemaMissing) {
			t.Errorf("a missing schema: %v", err)
		}
		var nameErr *schemactx.NameError
		if _, err := fn(t.Context(), f.owner, f.roles, "public"); !errors.As(err, &nameErr) {
			t.Errorf("public: %v", err)
		}
	}
	f.exec(t, "create schema plain")
	_, err := admin.RevokeAccess(t.Context(), f.owner, f.roles, "plain")
	if !errors.Is(err, schemactx.ErrNotProvisioned) && !errors.Is(err, admin.ErrTaken) {
		t.Errorf("a schema without a role: %v", err)
	}
}
