package erp_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
)

func TestGenerateChargesEachStudentOfTheClassOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	class, students := f.addClass(t, f.a, "1", 3)
	f.addClass(t, f.a, "2", 2)
	structure, err := erp.NewFeeStructures(f.db).Create(ctx, tuition(class))
	require.NoError(t, err)
	fees := erp.NewFees(f.db)

	first, err := fees.Generate(ctx, structure.ID, erp.Generation{DueOn: dueOn})
	require.NoError(t, err)
	require.Len(t, first.Created, 3, "made %+v", first)
	require.Empty(t, first.Existing, "made %+v", first)
	for i, fee := range first.Created {
		if assert.Equal(t, students[i], fee.StudentID, "fee %+v of %+v", fee, structure) &&
			assert.Equal(t, structure.Amount(), fee.Amount(), "fee %+v of %+v", fee, structure) &&
			assert.Equal(t, structure.Amount(), fee.Owed(), "fee %+v of %+v", fee, structure) &&
			assert.Zero(t, fee.Paid().Minor, "fee %+v of %+v", fee, structure) &&
			assert.Equal(t, dueOn, fee.DueOn, "fee %+v of %+v", fee, structure) &&
			assert.Equal(t, erp.FeeOpen, fee.Status, "fee %+v of %+v", fee, structure) &&
			assert.Equal(t, "Tuition", fee.Name, "fee %+v of %+v", fee, structure) &&
			assert.Equal(t, "Autumn", fee.Term, "fee %+v of %+v", fee, structure) {
			assert.Equal(t, class, fee.ClassID, "fee %+v of %+v", fee, structure)
		}
	}
	_, err = fees.Update(ctx, first.Created[0].ID, erp.AnyVersion, erp.FeeChange{DueOn: dueOn, Cancelled: true})
	require.NoError(t, err)
	exec(t, f, f.a,
		"insert into students (admission_number, first_name, last_name, class_id) values ('late', 'A', 'B', $1)", class)

	later := erp.NewDate(2100, time.March, 1)
	second, err := fees.Generate(ctx, structure.ID, erp.Generation{DueOn: later})
	require.NoError(t, err)
	require.Len(t, second.Created, 1, "created %+v for the new students", second)
	require.Len(t, second.Existing, 3, "created %+v for the new students", second)
	require.Equal(t, later, second.Created[0].DueOn, "created %+v for the new students", second)
	for i, fee := range second.Existing {
		assert.Equal(t, first.Created[i].ID, fee.ID, "%+v was %+v", fee, first.Created[i])
		assert.Equal(t, dueOn, fee.DueOn, "%+v was %+v", fee, first.Created[i])
	}
	assert.Equal(t, erp.FeeCancelled, second.Existing[0].Status,
		"a cancelled fee is %s again", second.Existing[0].Status)
	_, err = fees.Generate(ctx, 99, erp.Generation{DueOn: dueOn})
	assert.ErrorIs(t, err, erp.ErrNotFound, "by no structure")
	_, err = fees.Generate(ctx, structure.ID, erp.Generation{})
	expectInputError(t, "without a day", err, "due_on", false)
}

func TestGenerateAtTheSameTimeChargesEachStudentOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	class, students := f.addClass(t, f.a, "1", 5)
	structure, err := erp.NewFeeStructures(f.db).Create(ctx, tuition(class))
	require.NoError(t, err)
	var all sync.WaitGroup
	made := make(chan int, 16)
	for range cap(made) {
		all.Go(func() {
			got, err := erp.NewFees(f.db).Generate(ctx, structure.ID, erp.Generation{DueOn: dueOn})
			assert.NoError(t, err, "%d created, %d existing", len(got.Created), len(got.Existing))
			assert.Equal(t, len(students), len(got.Created)+len(got.Existing),
				"%d created, %d existing", len(got.Created), len(got.Existing))
			made <- len(got.Created)
		})
	}
	all.Wait()
	close(made)
	total := 0
	for n := range made {
		total += n
	}
	assert.Equal(t, len(students), total, "%d fees were made for %d students", total, len(students))
}

func TestAFeeIsDueUntilTheDayHasPassed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	fees := erp.NewFees(f.db)
	var today erp.Date
	require.NoError(t, f.db.QueryRow(ctx, "select current_date").Scan(&today))
	yesterday := erp.Date{Time: today.AddDate(0, 0, -1)}
	status := func(due erp.Date, want erp.FeeStatus) {
		t.Helper()
		got, err := fees.Update(ctx, fee.ID, erp.AnyVersion, erp.FeeChange{DueOn: due})
		assert.NoError(t, err, "due on %s: %s, want %s", due, got.Status, want)
		assert.Equal(t, want, got.Status, "due on %s: %s, want %s", due, got.Status, want)
		found, _, err := fees.List(ctx, erp.FeeFilter{Status: want}, erp.Page{})
		assert.NoError(t, err, "%d fees are listed as %s", len(found), want)
		assert.Len(t, found, 1, "%d fees are listed as %s", len(found), want)
	}
	status(today, erp.FeeOpen)
	status(yesterday, erp.FeeOverdue)
	_, err := erp.NewPayments(f.db).Record(ctx, "1", cash(fee, 1))
	require.NoError(t, err)
	status(today, erp.FeePartPaid)
	status(yesterday, erp.FeeOverdue)
	_, err = erp.NewPayments(f.db).Record(ctx, "2", cash(fee, 99_99))
	require.NoError(t, err)
	status(today, erp.FeePaid)
	status(yesterday, erp.FeePaid)
}

func TestListFeesFiltered(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	one, two := f.addFee(t, f.a, "1"), f.addFee(t, f.a, "2")
	fees := erp.NewFees(f.db)
	march := erp.NewDate(2100, time.March, 1)
	two, err := fees.Update(ctx, two.ID, erp.AnyVersion, erp.FeeChange{DueOn: march})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		filter erp.FeeFilter
		want   []erp.Fee
	}{
		"all":          {erp.FeeFilter{}, []erp.Fee{one, two}},
		"student":      {erp.FeeFilter{StudentID: two.StudentID}, []erp.Fee{two}},
		"class":        {erp.FeeFilter{ClassID: one.ClassID}, []erp.Fee{one}},
		"structure":    {erp.FeeFilter{FeeStructureID: two.FeeStructureID}, []erp.Fee{two}},
		"term":         {erp.FeeFilter{Term: "Autumn"}, []erp.Fee{one, two}},
		"other term":   {erp.FeeFilter{Term: "autumn"}, nil},
		"status":       {erp.FeeFilter{Status: erp.FeePaid}, nil},
		"due before":   {erp.FeeFilter{DueBefore: &march}, []erp.Fee{one}},
		"due after":    {erp.FeeFilter{DueAfter: &dueOn}, []erp.Fee{two}},
		"due between":  {erp.FeeFilter{DueAfter: &dueOn, DueBefore: &march}, nil},
		"contradicted": {erp.FeeFilter{StudentID: one.StudentID, ClassID: two.ClassID}, nil},
	} {
		got, next, err := fees.List(ctx, c.filter, erp.Page{})
		assert.Equal(t, fmt.Sprint(c.want), fmt.Sprint(got), "%s: %+v, %d, %v", name, got, next, err)
		assert.Zero(t, next, "%s: %+v, %d, %v", name, got, next, err)
		assert.NoError(t, err, "%s: %+v, %d", name, got, next)
	}
	page, next, err := fees.List(ctx, erp.FeeFilter{}, erp.Page{Limit: 1})
	assert.NoError(t, err, "first page %+v, %d", page, next)
	assert.Len(t, page, 1, "first page %+v, %d", page, next)
	assert.Equal(t, one.ID, next, "first page %+v, %d", page, next)
}

func TestFeeOfOneStudent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	fee := f.addFee(t, f.a, "1")
	_, others := f.addClass(t, f.a, "2", 1)
	fees := erp.NewFees(f.db)
	got, err := fees.Create(ctx, erp.NewFee{StudentID: others[0], FeeStructureID: fee.FeeStructureID, DueOn: dueOn})
	if assert.NoError(t, err, got) &&
		assert.Equal(t, others[0], got.StudentID, got) &&
		assert.Equal(t, fee.Amount(), got.Amount(), got) {
		assert.Equal(t, fee.ClassID, got.ClassID, got)
	}
	for name, c := range map[string]struct {
		n        erp.NewFee
		field    string
		conflict bool
	}{
		"twice": {
			erp.NewFee{StudentID: fee.StudentID, FeeStructureID: fee.FeeStructureID, DueOn: dueOn}, "student_id", true,
		},
		"nobody":       {erp.NewFee{StudentID: 99, FeeStructureID: fee.FeeStructureID, DueOn: dueOn}, "student_id", false},
		"no student":   {erp.NewFee{FeeStructureID: fee.FeeStructureID, DueOn: dueOn}, "student_id", false},
		"no structure": {erp.NewFee{StudentID: fee.StudentID, FeeStructureID: 99, DueOn: dueOn}, "fee_structure_id", false},
		"never due":    {erp.NewFee{StudentID: fee.StudentID, FeeStructureID: fee.FeeStructureID}, "due_on", false},
	} {
		_, err := fees.Create(ctx, c.n)
		expectInputError(t, name, err, c.field, c.conflict)
	}
}

func TestStructureWithFeesIsFixed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	class, _ := f.addClass(t, f.a, "1", 1)
	other, _ := f.addClass(t, f.a, "2", 1)
	structures, fees := erp.NewFeeStructures(f.db), erp.NewFees(f.db)
	structure, err := structures.Create(ctx, tuition(class))
	require.NoError(t, err)
	cheaper := tuition(class)
	cheaper.AmountMinor = 90_00
	structure, err = structures.Update(ctx, structure.ID, structure.Version(), cheaper)
	require.NoError(t, err)
	generated, err := fees.Generate(ctx, structure.ID, erp.Generation{DueOn: dueOn})
	require.NoError(t, err)
	assert.EqualValues(t, 90_00, generated.Created[0].AmountMinor)
	for name, change := range map[string]func(n *erp.NewFeeStructure){
		"amount":   func(n *erp.NewFeeStructure) { n.AmountMinor = 100_00 },
		"currency": func(n *erp.NewFeeStructure) { n.Currency = "USD" },
		"term":     func(n *erp.NewFeeStructure) { n.Term = "Spring" },
		"class":    func(n *erp.NewFeeStructure) { n.ClassID = other },
	} {
		n := cheaper
		change(&n)
		_, err := structures.Update(ctx, structure.ID, erp.AnyVersion, n)
		expectInputError(t, name, err, "amount_minor", true)
	}
	expectInputError(t, "delete", structures.Delete(ctx, structure.ID, erp.AnyVersion), "id", true)

	cheaper.Name = "School fees"
	_, err = structures.Update(ctx, structure.ID, structure.Version(), cheaper)
	require.NoError(t, err)
	renamed, err := fees.Get(ctx, generated.Created[0].ID)
	if assert.NoError(t, err, "the fee of a renamed structure is %+v", renamed) &&
		assert.Equal(t, "School fees", renamed.Name, "the fee of a renamed structure is %+v", renamed) {
		assert.NotEqual(t, generated.Created[0].Version(), renamed.Version(),
			"the fee of a renamed structure is %+v", renamed)
	}
	_, err = structures.Update(ctx, structure.ID, structure.Version(), cheaper)
	assert.ErrorIs(t, err, erp.ErrChanged, "update of a version that is gone")
}

// A generation of fees locks the structure. A concurrent change of its amount waits and is then
// refused.
func TestStructureDoesNotChangeDuringAGeneration(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	class, _ := f.addClass(t, f.a, "1", 1)
	structure, err := erp.NewFeeStructures(f.db).Create(ctx, tuition(class))
	require.NoError(t, err)
	done := make(chan error, 1)
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		if _, err := erp.NewFees(tx).Generate(ctx, structure.ID, erp.Generation{DueOn: dueOn}); err != nil {
			return err
		}
		go func() {
			n := tuition(class)
			n.AmountMinor = 1
			_, err := erp.NewFeeStructures(f.db).Update(ctx, structure.ID, erp.AnyVersion, n)
			done <- err
		}()
		f.awaitBlocked(t)
		return nil
	}))
	expectInputError(t, "update", <-done, "amount_minor", true)
}

// A generation waits for a concurrent change of the structure, and its fees have the new amount.
func TestAGenerationWaitsForAChangeOfItsStructure(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	class, _ := f.addClass(t, f.a, "1", 1)
	structure, err := erp.NewFeeStructures(f.db).Create(ctx, tuition(class))
	require.NoError(t, err)
	type result struct {
		erp.Generated
		err error
	}
	done := make(chan result, 1)
	require.NoError(t, f.db.InTx(ctx, func(tx pgx.Tx) error {
		n := tuition(class)
		n.AmountMinor = 1
		if _, err := erp.NewFeeStructures(tx).Update(ctx, structure.ID, erp.AnyVersion, n); err != nil {
			return err
		}
		go func() {
			generated, err := erp.NewFees(f.db).Generate(ctx, structure.ID, erp.Generation{DueOn: dueOn})
			done <- result{generated, err}
		}()
		f.awaitBlocked(t)
		return nil
	}))
	got := <-done
	if assert.NoError(t, got.err, "made %+v", got.Generated) &&
		assert.Len(t, got.Created, 1, "made %+v", got.Generated) {
		assert.Equal(t, int64(1), got.Created[0].AmountMinor, "made %+v", got.Generated)
	}
}

// The database enforces the bounds, so that they hold for every program that writes to it.
func TestTheDatabaseHoldsTheBoundsOfMoney(t *testing.T) {
	t.Parallel()
	f := setup(t)
	fee := f.addFee(t, f.a, "1")
	for _, sql := range []string{
		"update fees set paid_minor = amount_minor + 1", "update fees set paid_minor = -1",
		"update fees set paid_minor = 1, cancelled_at = now()", "update fees set amount_minor = 1",
		"update fees set currency = 'USD'",
		"update fee_structures set amount_minor = 1", "delete from fee_structures",
		fmt.Sprintf(`insert into payments (fee_id, kind, amount_minor, currency, method, reference, paid_on, idempotency_key)
			values (%d, 'payment', 1, 'USD', 'cash', '', '2026-01-01', 'k')`, fee.ID),
	} {
		_, err := f.db.Exec(f.a.Context(), sql)
		pgErr := (*pgconn.PgError)(nil)
		if assert.ErrorAs(t, err, &pgErr, sql) {
			assert.Equal(t, "23", pgErr.Code[:2], sql)
		}
	}
}
