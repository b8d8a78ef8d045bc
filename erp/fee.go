package erp

import "time"

// Fee is an invoice: the amount that a [FeeStructure] charges one student, and what has been paid.
type Fee struct {
	ID             int64      `json:"id"`
	StudentID      int64      `json:"student_id"`
	FeeStructureID int64      `json:"fee_structure_id"`
	ClassID        int64      `json:"class_id"` // of the structure; the student may be in another class now
	Name           string     `json:"name"`
	Term           string     `json:"term"`
	AmountMinor    int64      `json:"amount_minor"`
	PaidMinor      int64      `json:"paid_minor"` // payments less refunds
	OwedMinor      int64      `json:"owed_minor"` // 0 when cancelled
	Currency       Currency   `json:"currency"`
	DueOn          Date       `json:"due_on"`
	Status         FeeStatus  `json:"status"`
	CancelledAt    *time.Time `json:"cancelled_at"` // nil: not cancelled
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

func (f Fee) id() int64 { return f.ID }

// Version returns the version that was read.
func (f Fee) Version() Version { return versionOf(f.UpdatedAt) }

// Amount returns what the student is charged.
func (f Fee) Amount() Money { return Money{f.AmountMinor, f.Currency} }

// Paid returns what has been paid and not refunded.
func (f Fee) Paid() Money { return Money{f.PaidMinor, f.Currency} }

// Owed returns what is still to be paid.
func (f Fee) Owed() Money { return Money{f.OwedMinor, f.Currency} }

// FeeStatus is the state of a fee. It is calculated from the payments and the current day in the
// time zone of the database, and not stored.
type FeeStatus string

// The statuses of fees.
const (
	FeeOpen      FeeStatus = "open"      // nothing is paid, and it is not overdue
	FeePartPaid  FeeStatus = "part_paid" // a part is paid, and the rest is not overdue
	FeePaid      FeeStatus = "paid"      // in full
	FeeOverdue   FeeStatus = "overdue"   // something is owed, and the due date has passed
	FeeCancelled FeeStatus = "cancelled"
)

var feeStatuses = []FeeStatus{FeeOpen, FeePartPaid, FeePaid, FeeOverdue, FeeCancelled}

// NewFee is the input of [Fees.Create]: it charges a single student by a structure of any class.
type NewFee struct {
	StudentID      int64 `json:"student_id"`
	FeeStructureID int64 `json:"fee_structure_id"`
	DueOn          Date  `json:"due_on"`
}

// Validate returns an [InputError] that names every invalid field.
func (f NewFee) Validate() error {
	var r refusals
	r.reference("student_id", &f.StudentID, studentEntity)
	r.reference("fee_structure_id", &f.FeeStructureID, feeStructureEntity)
	r.dueOn(f.DueOn)
	return r.err()
}

// FeeChange is the input of [Fees.Update]. The amount of a fee is that of its structure.
type FeeChange struct {
	DueOn     Date `json:"due_on"`
	Cancelled bool `json:"cancelled"` // only if nothing is paid; false reverts a cancellation
}

// Validate returns an [InputError] that names every invalid field.
func (c FeeChange) Validate() error {
	var r refusals
	r.dueOn(c.DueOn)
	return r.err()
}

// Generation is the input of [Fees.Generate].
type Generation struct {
	DueOn Date `json:"due_on"` // of the fees that are created
}

// Validate returns an [InputError] that names every invalid field.
func (g Generation) Validate() error {
	var r refusals
	r.dueOn(g.DueOn)
	return r.err()
}

// Generated is the result of [Fees.Generate].
type Generated struct {
	Created  []Fee `json:"created"`
	Existing []Fee `json:"existing"` // the fees that the structure had before
}

func (r *refusals) dueOn(d Date) {
	if d.Year() < 1900 || d.Year() > 2200 {
		r.add("due_on", "is not between 1900 and 2200")
	}
}
