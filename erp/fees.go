package erp

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Fees stores the invoices of the school of the context. It is safe for concurrent use if its
// [Querier] is.
type Fees struct{ table[Fee] }

// NewFees returns the store of fees on db.
func NewFees(db Querier) Fees {
	return Fees{table[Fee]{db: db, entity: feeEntity, columns: always(feeColumns)}}
}

// feeColumns are the columns of [Fee], in the order of its fields.
const feeColumns = `fees.id, student_id, fee_structure_id, fees.class_id,
	(select name from fee_structures where fee_structures.id = fee_structure_id),
	fees.term, fees.amount_minor, paid_minor, ` + owedMinor + ", fees.currency, due_on, " + feeStatus + `,
	cancelled_at, fees.created_at, fees.updated_at`

// Values that are calculated from the columns of a fee.
const (
	owedMinor = "case when cancelled_at is null then fees.amount_minor - paid_minor else 0 end"
	feeStatus = `case when cancelled_at is not null then 'cancelled' when paid_minor = fees.amount_minor then 'paid'
		when due_on < current_date then 'overdue' when paid_minor > 0 then 'part_paid' else 'open' end`
)

// FeeFilter limits a list of fees. The zero value does not limit it.
type FeeFilter struct {
	StudentID      int64
	ClassID        int64 // of the fees' structure
	FeeStructureID int64
	Term           string
	Status         FeeStatus
	DueBefore      *Date // due on an earlier day
	DueAfter       *Date // due on a later day
}

func (f FeeFilter) filter(access) (where filter) {
	where.id("student_id = @student_id", "student_id", f.StudentID)
	where.id("class_id = @class_id", "class_id", f.ClassID)
	where.id("fee_structure_id = @fee_structure_id", "fee_structure_id", f.FeeStructureID)
	where.text("term = @term", "term", f.Term)
	where.text(feeStatus+" = @status", "status", string(f.Status))
	where.day("due_on < @due_before", "due_before", f.DueBefore)
	where.day("due_on > @due_after", "due_after", f.DueAfter)
	return where
}

// List returns a page of fees by id, and the After of the next page, or 0 if there is none. If page
// is invalid, the error is an [InputError].
func (f Fees) List(ctx context.Context, filter FeeFilter, page Page) (fees []Fee, next int64, err error) {
	return f.list(ctx, page, filter.filter)
}

// Get returns a fee, or [ErrNotFound].
func (f Fees) Get(ctx context.Context, id int64) (Fee, error) { return f.get(ctx, id) }

// Create charges one student the amount of a fee structure. If [NewFee.Validate] refuses n, the
// student or the structure does not exist, or the student has that fee, the error is an
// [InputError].
func (f Fees) Create(ctx context.Context, n NewFee) (Fee, error) {
	a, err := mayChange(ctx, f.entity)
	if err != nil {
		return Fee{}, f.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Fee{}, err
	}
	fee, err := f.one(ctx, "create", a, insertFees+"(select @student_id::bigint as id) students where "+a.session()+
		" returning "+feeColumns,
		pgx.StrictNamedArgs{"fee_structure_id": n.FeeStructureID, "due_on": n.DueOn, "student_id": n.StudentID})
	if errors.Is(err, ErrNotFound) {
		return Fee{}, unknown("fee_structure_id", "is no fee structure of this school").err()
	}
	return fee, err
}

// Update changes when a fee is due and whether it is cancelled, and returns the fee. If something
// is paid, the fee cannot be cancelled before a refund: that is an [InputError] with Conflict. If
// the fee has another version, the error is [ErrChanged]; the other errors are those of Get and
// [FeeChange.Validate].
func (f Fees) Update(ctx context.Context, id int64, version Version, change FeeChange) (Fee, error) {
	a, err := mayChange(ctx, f.entity)
	if err != nil {
		return Fee{}, f.failed("update", err)
	}
	if err := change.Validate(); err != nil {
		return Fee{}, err
	}
	return f.changed(ctx, "update", a, id, version, `
		update fees set due_on = @due_on, cancelled_at = case when @cancelled then coalesce(cancelled_at, now()) end,
			`+touch("fees")+`
		where `+f.target(a, version)+`
		returning `+feeColumns, pgx.StrictNamedArgs{"due_on": change.DueOn, "cancelled": change.Cancelled})
}

// insertFees begins a statement that inserts the fees of a structure for the rows of students,
// which follow it. It locks the structure, so that the fees and the structure agree.
const insertFees = `
	insert into fees (student_id, fee_structure_id, class_id, term, amount_minor, currency, due_on)
	select students.id, s.id, s.class_id, s.term, s.amount_minor, s.currency, @due_on::date
	from (select * from fee_structures where id = @fee_structure_id for share) s, `
