package admin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	// as a migration does for its version table
	f.exec(t, "revoke all on tenant_a.private from "+f.roles.Tenant("tenant_a"))
	require.NoError(t, write())
	before := f.fingerprint(t, "tenant_a")
	for i, want := range []bool{true, false} {
		report, err := admin.RevokeAccess(t.Context(), f.owner, f.roles, "tenant_a")
		require.NoError(t, err)
		assert.Equal(t, want, report.Changed(), "revoke %d changed: %t", i, report.Changed())
	}
	assert.ErrorIs(t, write(), schemactx.ErrNotProvisioned, "a write without access")
	for i, want := range []bool{true, false} {
		report, err := admin.RestoreAccess(t.Context(), f.owner, f.roles, "tenant_a")
		require.NoError(t, err)
		assert.Equal(t, want, report.Changed(), "restore %d changed: %t", i, report.Changed())
	}
	after := f.fingerprint(t, "tenant_a")
	assert.Equal(t, before, after, "the schema has changed:\n%s\nbefore", after)
	require.NoError(t, write())
}

func TestRevokeAccessWaitsForWriters(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := schemactx.NewContext(t.Context(), "tenant_a")
	tx, err := f.db.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "insert into notes values (7, 'in flight')")
	require.NoError(t, err)
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
		require.NoError(
			t,
			f.pg.Pool.QueryRow(
				t.Context(), "select exists (select from pg_locks where relation = 'tenant_a.notes'::regclass and not granted)",
			).
				Scan(&waits),
		)
	}
	stop()
	got := <-revoked
	if assert.ErrorIs(t, got.err, context.Canceled, got) {
		assert.True(t, got.report.Changed(), got)
	}
	require.NoError(t, tx.Rollback(ctx))
	_, err = admin.RevokeAccess(t.Context(), f.owner, f.roles, "tenant_a")
	require.NoError(t, err)
}

func TestRevokeAndRestoreRefuseInvalidSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	type change func(context.Context, admin.Beginner, schemactx.RoleNames, string) (admin.AccessReport, error)
	for _, fn := range []change{admin.RevokeAccess, admin.RestoreAccess} {
		_, err := fn(t.Context(), f.owner, f.roles, "nowhere")
		assert.ErrorIs(t, err, schemactx.ErrSchemaMissing, "a missing schema")
		var nameErr *schemactx.NameError
		_, err = fn(t.Context(), f.owner, f.roles, "public")
		assert.ErrorAs(t, err, &nameErr, "public")
	}
	f.exec(t, "create schema plain")
	_, err := admin.RevokeAccess(t.Context(), f.owner, f.roles, "plain")
	assert.True(t, errors.Is(err, schemactx.ErrNotProvisioned) || errors.Is(err, admin.ErrTaken),
		"a schema without a role: %v", err)
}
