package admin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

var errBegin = errors.New("connection lost")

// failingBeginner begins as many transactions as left says. Later ones fail.
type failingBeginner struct {
	*pgxpool.Pool
	left int
}

func (b *failingBeginner) Begin(ctx context.Context) (pgx.Tx, error) {
	if b.left--; b.left < 0 {
		return nil, errBegin
	}
	return b.Pool.Begin(ctx)
}

// The roles are committed before the first password, so the report of them must not be lost.
func TestSetupReportsWhatItDidBeforeAPasswordFailed(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	cfg := admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"}

	report, err := admin.Setup(t.Context(), &failingBeginner{Pool: pg.Pool}, cfg)
	require.ErrorIs(t, err, errBegin)
	assert.Zero(t, report, "the transaction of the roles did not begin")

	report, err = admin.Setup(t.Context(), &failingBeginner{Pool: pg.Pool, left: 2}, cfg)
	require.ErrorIs(t, err, errBegin)
	assert.Equal(t, roles, report.Roles)
	did := done(report.Actions)
	require.NotEmpty(t, did)
	assert.Contains(t, did[0], "create role")
	assert.Equal(t, "alter role "+roles.Runtime()+" password", did[len(did)-1], "the first password was set")

	report, err = admin.Setup(t.Context(), pg.Pool, cfg)
	require.NoError(t, err)
	assert.Len(t, done(report.Actions), 2, "a second run sets only the passwords")
}

func TestCheckOfNoPoolNamesItsPackage(t *testing.T) {
	t.Parallel()
	_, err := admin.Check(t.Context(), nil, admin.CheckConfig{})
	assert.EqualError(t, err, "admin: pool is nil")
}
