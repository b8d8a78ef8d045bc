package erp

import (
	"context"
	"errors"
)

// Fees are the invoices of the school of the context. It is safe for concurrent use if its
// Querier is.
type Fees struct{ table[Fee] }

// NewFees returns the fees that db reaches.
func NewFees(db Querier) Fees {
	return Fees{table[Fee]{db: db, noun: feeNoun, columns: feeColumns}}
}

// feeColumns are those of [Fee], in its order.
const feeColumns = `fees.id, student_id, fee_structure_id, fees.class_id,
	(select name from fee_structures where fee_structures.id = fee_structure_id), fees.term, fees.amount_minor, paid_minor, ` +
	owedMinor + ", fees.currency, due_on, " + feeStatus + ", cancelled_at, fees.created_at, fees.updated_at"

// What follows from the columns of a fee.
const (
	owedMinor = "case when cancelled_at is null then fees.amount_minor - paid_minor else 0 end"
	feeStatus = `case when cancelled_at is not null then 'cancelled' when paid_minor = fees.amount_minor then 'paid'
		when due_on < current_date then 'overdue' when paid_minor > 0 then 'part_paid' else 'open' end`
)

// FeeFilter narrows a list of fees down. Its zero value does not.
type FeeFilter struct {
	StudentID      int64
	ClassID        int64 // of the fees' structure
	FeeStructureID int64
	Term           string
	Status         FeeStatus
	DueBefore      *Date // due on an earlier day
	DueAfter       *Date // due on a later day
}

func (f FeeFilter) conditions() (c conditions) {
	c.id("student_id = ?", f.StudentID)
	c.id("class_id = ?", f.ClassID)
	c.id("fee_structure_id = ?", f.FeeStructureID)
	c.is("term = ?", f.Term)
	c.is(feeStatus+" = ?", string(f.Status))
	c.day("due_on < ?", f.DueBefore)
	c.day("due_on > ?", f.DueAfter)
	return c
}

// List returns the fees of a page by id, and the After of the next page, or 0 when there is none.
// A page that cannot be is an [InputError].
func (f Fees) List(ctx context.Context, filter FeeFilter, page Page) (fees []Fee, next int64, err error) {
	return f.list(ctx, page, filter.conditions())
}

// Get returns a fee, or [ErrNotFound].
func (f Fees) Get(ctx context.Context, id int64) (Fee, error) { return f.get(ctx, id) }

// Create charges one student what a structure says. Input that is refused, by [NewFee.Validate] or
// because the student or the structure is not there or the student has that fee, is an [InputError].
func (f Fees) Create(ctx context.Context, n NewFee) (Fee, error) {
	insert, err := changing(ctx, f.noun)
	if err != nil {
		return Fee{}, f.failed("create", err)
	}
	if err := n.Validate(); err != nil {
		return Fee{}, err
	}
	f.invoice(insert, n.FeeStructureID, n.DueOn, "(select ?::bigint as id) students", n.StudentID)
	insert.add(" returning " + f.columns)
	fee, err := f.one(ctx, "create", insert)
	if errors.Is(err, ErrNotFound) {
		return Fee{}, unknown("fee_structure_id", "is no fee structure of this school").err()
	}
	return fee, err
}

// Update changes when a fee is due and whether it stands, and returns it as it is then. Where
// something is paid it cannot be cancelled: that is an [InputError] with Conflict, as refunds come
// first. Where it is not in that version any more the error is [ErrChanged]; others are those of Get
// and [FeeChange.Validate].
func (f Fees) Update(ctx context.Context, id int64, version Version, change FeeChange) (Fee, error) {
	update, err := changing(ctx, f.noun)
	if err != nil {
		return Fee{}, f.failed("update", err)
	}
	if err := change.Validate(); err != nil {
		return Fee{}, err
	}
	update.add(`update fees set due_on = ?, cancelled_at = case when ? then coalesce(cancelled_at, now()) end, `,
		change.DueOn, change.Cancelled)
	update.add(touch(f.noun.table) + " where ")
	f.at(update, id, version)
	update.add(" returning " + f.columns)
	return f.changed(ctx, "update", id, update)
}

// invoice begins an insert of fees of a structure for students. The structure is locked, so that it stays what the
// fees repeat.
func (f Fees) invoice(insert *statement, structure int64, dueOn Date, students string, values ...any) {
	insert.add("insert into fees (student_id, fee_structure_id, class_id, term, amount_minor, currency, due_on)")
	insert.add(" select students.id, s.id, s.class_id, s.term, s.amount_minor, s.currency, ?::date from ", dueOn)
	insert.add("(select * from fee_structures where id = ? for share) s, ", structure)
	insert.add(students+" where ", values...)
	insert.current()
}
