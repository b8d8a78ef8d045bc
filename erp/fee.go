package erp

import "time"

// Fee is an invoice: what one student is charged by a [FeeStructure], and what has been paid.
type Fee struct {
	ID             int64      `json:"id"`
	StudentID      int64      `json:"student_id"`
	FeeStructureID int64      `json:"fee_structure_id"`
	ClassID        int64      `json:"class_id"` // of the structure; the student may have moved on
	Name           string     `json:"name"`
	Term           string     `json:"term"`
	AmountMinor    int64      `json:"amount_minor"`
	PaidMinor      int64      `json:"paid_minor"` // payments less refunds
	OwedMinor      int64      `json:"owed_minor"` // 0 when cancelled
	Currency       Currency   `json:"currency"`
	DueOn          Date       `json:"due_on"`
	Status         FeeStatus  `json:"status"`
	CancelledAt    *time.Time `json:"cancelled_at"` // nil: it stands
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

func (f Fee) id() int64 { return f.ID }

// Version returns which state of the fee this is.
func (f Fee) Version() Version { return versionOf(f.UpdatedAt) }

// Amount returns what the student is charged.
func (f Fee) Amount() Money { return Money{f.AmountMinor, f.Currency} }

// Paid returns what has been paid and not refunded.
func (f Fee) Paid() Money { return Money{f.PaidMinor, f.Currency} }

// Owed returns what is still to be paid.
func (f Fee) Owed() Money { return Money{f.OwedMinor, f.Currency} }

// FeeStatus says where a fee stands. It follows from the payments and from the day, which is the
// database's in its time zone, and is not stored.
type FeeStatus string

// The statuses of fees.
const (
	FeeOpen      FeeStatus = "open"      // nothing is paid, and it is not late
	FeePartPaid  FeeStatus = "part_paid" // and the rest is not late
	FeePaid      FeeStatus = "paid"      // in full
	FeeOverdue   FeeStatus = "overdue"   // something is owed, and the day it was due has passed
	FeeCancelled FeeStatus = "cancelled"
)

var feeStatuses = []FeeStatus{FeeOpen, FeePartPaid, FeePaid, FeeOverdue, FeeCancelled}

// NewFee is what a single fee is made of: one that is charged to a student alone, by a structure
// of whichever class.
type NewFee struct {
	StudentID      int64 `json:"student_id"`
	FeeStructureID int64 `json:"fee_structure_id"`
	DueOn          Date  `json:"due_on"`
}

// Validate returns an [InputError] that names every field that cannot be.
func (f NewFee) Validate() error {
	var r refusals
	r.reference("student_id", &f.StudentID, studentEntity)
	r.reference("fee_structure_id", &f.FeeStructureID, feeStructureEntity)
	r.dueOn(f.DueOn)
	return r.err()
}

// FeeChange is what can be changed about a fee. Its amount is its structure's.
type FeeChange struct {
	DueOn     Date `json:"due_on"`
	Cancelled bool `json:"cancelled"` // only where nothing is paid; false lets it stand again
}

// Validate returns an [InputError] that names every field that cannot be.
func (c FeeChange) Validate() error {
	var r refusals
	r.dueOn(c.DueOn)
	return r.err()
}

// Generation asks for the fees of all students of a structure's class.
type Generation struct {
	DueOn Date `json:"due_on"` // of those that are made
}

// Validate returns an [InputError] that names every field that cannot be.
func (g Generation) Validate() error {
	var r refusals
	r.dueOn(g.DueOn)
	return r.err()
}

// Generated is what [Fees.Generate] has done.
type Generated struct {
	Created  []Fee `json:"created"`
	Existing []Fee `json:"existing"` // the structure's fees that were there, whoever made them
}

func (r *refusals) dueOn(d Date) {
	if d.Year() < 1900 || d.Year() > 2200 {
		r.add("due_on", "is not between 1900 and 2200")
	}
}
