package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestRenameMovesATenantWithItsRole(t *testing.T) {
	t.Parallel()
	f := setup(t)
	long := "t" + strings.Repeat("x", schemactx.MaxNameLen-1) // its role has a hash in its name
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
	names := []string{"tenant_a", "tenant_z", long, "tenant_a2"}
	f.unchanged(t, "tenant_b", func() {
		for i, to := range names[1:] {
			report, err := admin.Rename(t.Context(), f.owner, f.roles, names[i], to)
			require.NoError(t, err)
			if assert.Equal(t, to, report.Schema, "%v", report) &&
				assert.Equal(t, f.roles.Tenant(to), report.Role, "%v", report) {
				assert.Len(t, done(report.Actions), 2, "%v", report)
			}
			report, err = admin.Rename(t.Context(), f.owner, f.roles, names[i], to)
			require.NoError(t, err)
			assert.False(t, report.Changed(), "a second run reports %v", report)
			assert.Len(t, report.Actions, 2, "a second run reports %v", report)
			expectNote(t, in(t, to), f.db, "tenant_a")
			_, _, err = note(in(t, names[i]), f.db)
			assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
		}
	})
	// The role's comment, the membership, the grants and the default privileges are as Provision wants
	// them.
	report, err := admin.Provision(t.Context(), f.owner, f.roles, "tenant_a2")
	require.NoError(t, err)
	assert.False(t, report.Changed(), "Rename has lost %v", done(report.Actions))
	f.provision(t, "tenant_a") // the old name is available
	f.deprovision(t, "tenant_a2")
	f.gone(t, "tenant_a2")
}

func TestRenameRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	run(t, f, "create schema theirs; create role "+f.roles.Tenant("theirs")+"; create role "+f.roles.Tenant("tenant_c"))
	f.exec(t, "create schema shared")
	for _, tc := range []struct {
		from, to string
		want     error
	}{
		{"tenant_a", "tenant_b", admin.ErrTaken},
		{"tenant_a", "theirs", admin.ErrTaken},
		{"tenant_a", "tenant_c", admin.ErrTaken}, // the role of the new name exists
		{"tenant_a", "shared", admin.ErrTaken},
		{"theirs", "tenant_d", admin.ErrTaken},
		{"missing", "theirs", admin.ErrTaken},
		{"shared", "tenant_d", schemactx.ErrNotProvisioned},
		{"missing", "shared", schemactx.ErrNotProvisioned},
		{"missing", "tenant_d", schemactx.ErrSchemaMissing},
	} {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			f.unchanged(t, schema, func() {
				report, err := admin.Rename(t.Context(), f.owner, f.roles, tc.from, tc.to)
				if assert.ErrorIs(t, err, tc.want, "%s to %s", tc.from, tc.to) {
					assert.False(t, report.Changed(), "%s to %s: got %v, want %v", tc.from, tc.to, err, tc.want)
				}
			})
		}
	}
	for _, names := range [][2]string{
		{"public", "x"}, {"tenant_a", "public"}, {"tenant_a", "Tenant"}, {"tenant_a", ""}, {"tenant_a", "tenant_a"},
	} {
		_, err := admin.Rename(t.Context(), f.owner, f.roles, names[0], names[1])
		var nameErr *schemactx.NameError
		assert.ErrorAs(t, err, &nameErr, "%q", names)
	}
}

func TestRenameInATransactionOfTheCaller(t *testing.T) {
	t.Parallel()
	f := setup(t)
	changedMind := errors.New("changed my mind")
	err := pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
		if _, err := admin.RenameTx(t.Context(), tx, f.roles, "tenant_a", "tenant_z"); err != nil {
			return err
		}
		return changedMind
	})
	assert.ErrorIs(t, err, changedMind)
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
}

// Rename does not wait for a transaction of the tenant, and does not end it. It waits for another
// Rename.
func TestRenameWaitsForAnotherRename(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tx, err := f.db.Begin(in(t, "tenant_a"))
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(in(t, "tenant_a")) }() // if the test fails
	_, err = tx.Exec(in(t, "tenant_a"), "update notes set body = 'late'")
	require.NoError(t, err)
	other, err := f.owner.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = other.Exec(t.Context(), "alter schema tenant_a rename to tenant_y")
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = admin.Rename(ctx, f.owner, f.roles, "tenant_a", "tenant_z")
	assert.ErrorIs(t, err, context.DeadlineExceeded, "got %v, want the context's end", err)
	require.NoError(t, other.Rollback(t.Context()))
	_, err = admin.Rename(t.Context(), f.owner, f.roles, "tenant_a", "tenant_z")
	require.NoError(t, err)
	require.NoError(t, tx.Commit(in(t, "tenant_a")))
	expectNote(t, in(t, "tenant_z"), f.db, "late")
}

func TestRenameContinuesAfterAnInterruption(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for n := range int64(12) {
		// The transaction may have committed before the connection broke. It may also still commit until
		// the server notices that.
		conn := f.interrupted(t, n/2+1, n%2 == 1)
		_, err := admin.Rename(t.Context(), conn, f.roles, "tenant_a", "tenant_z")
		require.NoError(t, conn.Close(t.Context()))
		f.awaitEnd(t, conn.PgConn().PID())
		from, to := "tenant_a", "tenant_z"
		var there bool
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), "select to_regnamespace('tenant_z') is not null").Scan(&there))
		if !there {
			from, to = to, from
		}
		assert.True(t, err != nil || there, "write %d: no error, and nothing renamed", n)
		expectNote(t, in(t, to), f.db, "tenant_a")
		_, err = admin.Rename(t.Context(), f.owner, f.roles, from, to) // nothing is left to rename
		require.NoError(t, err)
		if there {
			_, err = admin.Rename(t.Context(), f.owner, f.roles, "tenant_z", "tenant_a")
			require.NoError(t, err)
		}
	}
}

func TestRenamedTenantLogsInWithItsNewPassword(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.provisionLogin(t, "tenant_a", "password")
	_, err := admin.Rename(t.Context(), f.owner, f.roles, "tenant_a", "tenant_z")
	require.NoError(t, err)
	login := func(password string) error {
		conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Tenant("tenant_z"), password))
		if err == nil {
			err = conn.Close(t.Context())
		}
		return err
	}
	require.NoError(t, login("password")) // the role's name is not part of a SCRAM salt
	f.provisionLogin(t, "tenant_z", "new password")
	require.NoError(t, login("new password"))
}
