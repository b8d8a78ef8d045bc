package migrate_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

func TestOnlySomeVersionsAreApplied(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	older, err := r.Subset([]int64{2, 1})
	check(t, err)
	check(t, older.Migrate(t.Context(), "tenant_1"))
	status, err := r.Status(t.Context(), "tenant_1")
	check(t, err)
	expectVersions(t, status.Versions(migrate.Applied), 1, 2)
	expectVersions(t, status.Versions(migrate.Pending), 3)

	reference, err := drift.Reference(t.Context(), older, drift.ReadOptions{})
	check(t, err)
	expectLines(t, driftLines(t, r, drift.Options{Reference: &reference}, "tenant_1"))
	newest, err := drift.Reference(t.Context(), r, drift.ReadOptions{})
	check(t, err)
	if newest.Hash() == reference.Hash() {
		t.Error("the reference of two versions is that of three")
	}

	_, err = r.Subset([]int64{1, 9})
	expectIs(t, err, migrate.ErrNoMigration)
	none, err := r.Subset(nil)
	check(t, err)
	check(t, none.Migrate(t.Context(), "tenant_2"))
	status, err = r.Status(t.Context(), "tenant_2")
	check(t, err)
	expectVersions(t, status.Versions(migrate.Applied))
}

func TestStatusInATransactionIsThatOfItsSnapshot(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", both))
	_, err := r.UpTo(t.Context(), "tenant_1", 2)
	check(t, err)
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	check(t, pgx.BeginTxFunc(t.Context(), f.pg.Pool, opts, func(tx pgx.Tx) error {
		for range 2 {
			status, err := r.StatusTx(t.Context(), tx, "tenant_1")
			check(t, err)
			expectVersions(t, status.Versions(migrate.Applied), 1, 2)
			for _, m := range status.Migrations {
				if m.State == migrate.Applied && (len(m.AppliedChecksum) != 16 || m.AppliedChecksum != m.Checksum[:16]) {
					t.Errorf("checksum %q of %+v", m.AppliedChecksum, m)
				}
			}
			check(t, r.Migrate(t.Context(), "tenant_1"))
		}
		status, err := r.StatusTx(t.Context(), tx, "tenant_3") // without a version table
		check(t, err)
		expectVersions(t, status.Versions(migrate.Pending), 1, 2, 3)
		_, err = r.StatusTx(t.Context(), tx, "tenant_9")
		expectIs(t, err, migrate.ErrSchemaMissing)
		return tx.QueryRow(t.Context(), "select 1").Scan(new(int))
	}))
}
