package erp_test

import (
	"testing"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/migrate"
)

// A school that has fees from before there were payments keeps them, up and down.
func TestFeesFromBeforeInvoicesStay(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runner, err := migrate.New(f.env.Owner, migrate.Config{Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}}})
	check(t, err)
	_, err = runner.DownTo(t.Context(), f.a.Schema, 3)
	check(t, err)
	for _, sql := range []string{
		"insert into classes (name, year) values ('1', 2026)",
		"insert into students (admission_number, first_name, last_name, class_id) values ('1', 'A', 'B', 1)",
		"insert into fee_structures (class_id, name, term, amount_minor, currency) values (1, 'Tuition', 'Autumn', 100, 'EUR')",
		"insert into fees (student_id, fee_structure_id, amount_minor, currency, due_on) values (1, 1, 100, 'EUR', '2100-01-31')",
	} {
		exec(t, f, f.a, sql)
	}
	for range 2 {
		_, err = runner.Up(t.Context(), f.a.Schema)
		check(t, err)
		fee, err := erp.NewFees(f.db).Get(asSystem(f.a), 1)
		if err != nil || fee.ClassID != 1 || fee.Term != "Autumn" || fee.OwedMinor != 100 || fee.Status != erp.FeeOpen {
			t.Errorf("%+v: %v", fee, err)
		}
		_, err = runner.DownTo(t.Context(), f.a.Schema, 3)
		check(t, err)
	}
	_, err = runner.Up(t.Context(), f.a.Schema)
	check(t, err)
}
