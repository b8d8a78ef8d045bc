package audit_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// Before Init, every function that reads or writes the log returns an error that says so.
func TestErrorsBeforeInit(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	_, err = admin.Setup(
		t.Context(),
		pg.Pool,
		admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"},
	)
	require.NoError(t, err)
	f, ctx, errs := setupOn(t, pg), t.Context(), map[string]error{}
	l := f.open(t, audit.Config{})
	entry := audit.Entry{Tenant: 1, Action: "note.made", Actor: "ada"}
	errs["write"] = l.Write(ctx, entry)
	tx, err := f.owner.Begin(ctx)
	require.NoError(t, err)
	errs["write in a transaction"] = l.WriteTx(ctx, tx, entry)
	require.NoError(t, tx.Rollback(ctx))
	_, errs["list"] = f.reader.List(ctx, audit.Filter{})
	for _, err := range f.reader.All(ctx, audit.Filter{}) {
		errs["all"] = err
	}
	_, errs["export"] = f.reader.Export(ctx, io.Discard, audit.Filter{}, audit.CSV)
	_, errs["verify"] = f.reader.Verify(ctx, 1)
	_, errs["verify all"] = f.reader.VerifyAll(ctx, audit.VerifyOptions{})
	_, errs["heads"] = f.reader.Heads(ctx)
	_, errs["maintain"] = f.maintainer.Maintain(ctx)
	errs["grant"] = audit.Grant(ctx, f.owner, audit.Rights{Writers: []string{roles.Public()}})
	for operation, err := range errs {
		assert.ErrorIs(t, err, audit.ErrNotInitialized, operation)
	}
}
