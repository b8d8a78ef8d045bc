package erp_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// dueOn is a day in the far future.
var dueOn = erp.NewDate(2100, time.January, 31)

// asSystem returns a context of the school with the program itself as the viewer.
func asSystem(school *tenancytest.Tenant) context.Context {
	return erp.NewContext(school.Context(), erp.System())
}

// addClass creates a class with students and returns their ids.
func (f *fixture) addClass(
	t *testing.T,
	school *tenancytest.Tenant,
	name string,
	students int,
) (class int64, ids []int64) {
	t.Helper()
	ctx := asSystem(school)
	require.NoError(t,
		f.db.QueryRow(ctx, "insert into classes (name, year) values ($1, 2026) returning id", name).Scan(&class))
	for i := range students {
		student, err := erp.NewStudents(f.db).Create(ctx, erp.NewStudent{
			AdmissionNumber: name + "-" + strconv.Itoa(i), FirstName: "A", LastName: "B", ClassID: &class,
		})
		require.NoError(t, err)
		ids = append(ids, student.ID)
	}
	return class, ids
}

// addFee creates a class with one student and a fee of 100.00 EUR.
func (f *fixture) addFee(t *testing.T, school *tenancytest.Tenant, name string) erp.Fee {
	t.Helper()
	class, _ := f.addClass(t, school, name, 1)
	structure, err := erp.NewFeeStructures(f.db).Create(asSystem(school), tuition(class))
	require.NoError(t, err)
	generated, err := erp.NewFees(f.db).Generate(asSystem(school), structure.ID, erp.Generation{DueOn: dueOn})
	require.NoError(t, err)
	return generated.Created[0]
}

func tuition(class int64) erp.NewFeeStructure {
	return erp.NewFeeStructure{ClassID: class, Name: "Tuition", Term: "Autumn", AmountMinor: 100_00, Currency: "EUR"}
}

// cash returns a cash payment for a part of a fee.
func cash(fee erp.Fee, amount int64) erp.NewPayment {
	return erp.NewPayment{
		FeeID: fee.ID, Kind: erp.KindPayment, AmountMinor: amount, Currency: fee.Currency,
		Method: erp.MethodCash, PaidOn: erp.NewDate(2026, time.September, 1),
	}
}

func refund(fee erp.Fee, amount int64) erp.NewPayment {
	n := cash(fee, amount)
	n.Kind = erp.KindRefund
	return n
}

// expectInputError expects the field to be refused, as a conflict or not.
func expectInputError(t *testing.T, what string, err error, field string, conflict bool) {
	t.Helper()
	var input *erp.InputError
	if assert.ErrorAs(t, err, &input, "%s: got %v, want %s refused (conflict: %t)", what, err, field, conflict) &&
		assert.Equal(t, field, input.Fields[0].Field,
			"%s: got %v, want %s refused (conflict: %t)", what, err, field, conflict) {
		assert.Equal(t, conflict, input.Conflict, "%s: got %v, want %s refused (conflict", what, err, field)
	}
}

// expectBalanced expects the paid amount of each fee to be the sum of its payments and within its
// bounds.
func (f *fixture) expectBalanced(t *testing.T, school *tenancytest.Tenant) {
	t.Helper()
	var wrong int
	require.NoError(t, f.db.QueryRow(school.Context(), `select count(*) from fees f
		left join lateral (select coalesce(sum(case kind when 'refund' then -amount_minor else amount_minor end), 0) as paid
			from payments p where p.fee_id = f.id) p on true
		where f.paid_minor <> p.paid or p.paid not between 0 and f.amount_minor`).Scan(&wrong))
	assert.Equal(t, 0, wrong, "%d fees lack the paid amount", wrong)
}

// awaitBlocked waits until a connection of the database waits for a lock.
func (f *fixture) awaitBlocked(t *testing.T) {
	t.Helper()
	for {
		var blocked bool
		require.NoError(t,
			f.env.Owner.QueryRow(t.Context(), `select exists (select from pg_locks l join pg_stat_activity a using (pid)
			where not l.granted and a.datname = current_database())`).Scan(&blocked))
		if blocked {
			return
		}
		time.Sleep(time.Millisecond) // PostgreSQL does not notify about lock waits
	}
}
