package erp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/migrate"
)

// The fees of a school that has not migrated to payments yet survive the migration up and down.
func TestFeesFromBeforeInvoicesAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runner, err := migrate.New(f.env.Owner, migrate.Config{Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}}})
	require.NoError(t, err)
	_, err = runner.DownTo(t.Context(), f.a.Schema, 3)
	require.NoError(t, err)
	for _, sql := range []string{
		"insert into classes (name, year) values ('1', 2026)",
		"insert into students (admission_number, first_name, last_name, class_id) values ('1', 'A', 'B', 1)",
		"insert into fee_structures (class_id, name, term, amount_minor, currency) " +
			"values (1, 'Tuition', 'Autumn', 100, 'EUR')",
		"insert into fees (student_id, fee_structure_id, amount_minor, currency, due_on) " +
			"values (1, 1, 100, 'EUR', '2100-01-31')",
	} {
		exec(t, f, f.a, sql)
	}
	for range 2 {
		_, err = runner.Up(t.Context(), f.a.Schema)
		require.NoError(t, err)
		fee, err := erp.NewFees(f.db).Get(asSystem(f.a), 1)
		assert.NoError(t, err, fee)
		assert.Equal(t, int64(1), fee.ClassID, fee)
		assert.Equal(t, "Autumn", fee.Term, fee)
		assert.Equal(t, int64(100), fee.OwedMinor, fee)
		assert.Equal(t, erp.FeeOpen, fee.Status, fee)
		_, err = runner.DownTo(t.Context(), f.a.Schema, 3)
		require.NoError(t, err)
	}
	_, err = runner.Up(t.Context(), f.a.Schema)
	require.NoError(t, err)
}
