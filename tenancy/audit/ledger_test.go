package audit_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func TestAnEntryIsCommittedWithItsTransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	e := audit.Entry{Tenant: 1, Action: audit.Export, Actor: "ada"}
	no := errors.New("no")
	assert.ErrorIs(t, pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
		require.NoError(t, l.WriteTx(t.Context(), tx, e))
		return no
	}), no)
	assert.Equal(t, 0, f.count(t, "true"), "rows of a transaction that was rolled back")
	for range 2 {
		require.NoError(t, pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
			require.NoError(t, l.WriteTx(t.Context(), tx, e))
			return l.WriteTx(t.Context(), tx, e)
		}))
	}
	public := schemactx.NewPublicContext(t.Context()) // a transaction of the program in the public scope
	require.NoError(t, f.db.InTx(public, func(tx pgx.Tx) error { return l.WriteTx(public, tx, e) }))
	assert.Equal(t, 5, f.count(t, "tenant_id = 1 and action = 'export'"), "rows")
	report := f.verify(t)
	assert.Equal(t, 1, report.Chains, report)
	assert.Equal(t, int64(6), report.Rows, report)
}

func TestWriteReturnsErrors(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	back := f.away(t)
	err := l.Write(t.Context(), audit.Entry{Action: audit.Export})
	assert.Equal(t, "42P01", stateOf(err), err)
	back()
	require.NoError(t, l.Write(t.Context(), audit.Entry{Action: audit.Export}))
	f.verify(t)
}
