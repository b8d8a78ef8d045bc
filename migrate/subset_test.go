package migrate_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

func TestOnlySomeVersionsAreApplied(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	older, err := r.Subset([]int64{2, 1})
	require.NoError(t, err)
	require.NoError(t, older.Migrate(t.Context(), "tenant_1"))
	status, err := r.Status(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, status.Versions(migrate.Applied), 1, 2)
	expectVersions(t, status.Versions(migrate.Pending), 3)

	reference, err := drift.Reference(t.Context(), older, drift.ReadOptions{})
	require.NoError(t, err)
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, drift.Options{Reference: &reference}, "tenant_1"))
	newest, err := drift.Reference(t.Context(), r, drift.ReadOptions{})
	require.NoError(t, err)
	assert.NotEqual(t, reference.Hash(), newest.Hash(), "the reference of two versions is that of three")

	_, err = r.Subset([]int64{1, 9})
	assert.ErrorIs(t, err, migrate.ErrNoMigration)
	none, err := r.Subset(nil)
	require.NoError(t, err)
	require.NoError(t, none.Migrate(t.Context(), "tenant_2"))
	status, err = r.Status(t.Context(), "tenant_2")
	require.NoError(t, err)
	expectVersions(t, status.Versions(migrate.Applied))
}

func TestStatusInATransactionIsThatOfItsSnapshot(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	_, err := r.UpTo(t.Context(), "tenant_1", 2)
	require.NoError(t, err)
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	require.NoError(t, pgx.BeginTxFunc(t.Context(), f.PG.Pool, opts, func(tx pgx.Tx) error {
		for range 2 {
			status, err := r.StatusTx(t.Context(), tx, "tenant_1")
			require.NoError(t, err)
			expectVersions(t, status.Versions(migrate.Applied), 1, 2)
			for _, m := range status.Migrations {
				assert.True(t, m.State != migrate.Applied || len(m.AppliedChecksum) == 16 && m.AppliedChecksum == m.Checksum[:16],
					"checksum %q of %+v", m.AppliedChecksum, m)
			}
			require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
		}
		status, err := r.StatusTx(t.Context(), tx, "tenant_3") // it has no version table
		require.NoError(t, err)
		expectVersions(t, status.Versions(migrate.Pending), 1, 2, 3)
		_, err = r.StatusTx(t.Context(), tx, "tenant_9")
		assert.ErrorIs(t, err, migrate.ErrSchemaMissing)
		return tx.QueryRow(t.Context(), "select 1").Scan(new(int))
	}))
}
