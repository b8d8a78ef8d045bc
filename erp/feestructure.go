package erp

import "time"

// FeeStructure is an amount that each student of a class is charged in a term, such as tuition.
type FeeStructure struct {
	ID          int64     `json:"id"`
	ClassID     int64     `json:"class_id"`
	Name        string    `json:"name"` // unique in its class and term, 1 to 100 characters
	Term        string    `json:"term"` // as the school calls it, 1 to 50 characters
	AmountMinor int64     `json:"amount_minor"`
	Currency    Currency  `json:"currency"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func (f FeeStructure) id() int64 { return f.ID }

// Version returns the version that was read.
func (f FeeStructure) Version() Version { return versionOf(f.UpdatedAt) }

// Amount returns the amount that each student is charged.
func (f FeeStructure) Amount() Money { return Money{f.AmountMinor, f.Currency} }

// NewFeeStructure is the input of [FeeStructures.Create] and [FeeStructures.Update].
type NewFeeStructure struct {
	ClassID     int64    `json:"class_id"`
	Name        string   `json:"name"`
	Term        string   `json:"term"`
	AmountMinor int64    `json:"amount_minor"`
	Currency    Currency `json:"currency"`
}

// Validate returns an [InputError] that names every invalid field.
func (n NewFeeStructure) Validate() error {
	var r refusals
	r.reference("class_id", &n.ClassID, classEntity)
	r.text("name", n.Name, 100)
	r.text("term", n.Term, 50)
	r.amount(Money{n.AmountMinor, n.Currency})
	return r.err()
}
