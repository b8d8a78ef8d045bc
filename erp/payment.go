package erp

import (
	"slices"
	"time"
	"unicode/utf8"
)

// PaymentKind is the direction of a payment.
type PaymentKind string

// The kinds of payments.
const (
	KindPayment PaymentKind = "payment" // to the school
	KindRefund  PaymentKind = "refund"  // back from it
)

var paymentKinds = []PaymentKind{KindPayment, KindRefund}

// PaymentMethod is how the money was paid.
type PaymentMethod string

// The methods of payments.
const (
	MethodCash         PaymentMethod = "cash"
	MethodCard         PaymentMethod = "card"
	MethodBankTransfer PaymentMethod = "bank_transfer"
	MethodDirectDebit  PaymentMethod = "direct_debit"
	MethodCheque       PaymentMethod = "cheque"
	MethodMobileMoney  PaymentMethod = "mobile_money"
	MethodOther        PaymentMethod = "other"
)

var paymentMethods = []PaymentMethod{
	MethodCash,
	MethodCard,
	MethodBankTransfer,
	MethodDirectDebit,
	MethodCheque,
	MethodMobileMoney,
	MethodOther,
}

// Payment is a full or partial payment of a fee, or a refund. Payments are never changed or
// deleted: a refund corrects a mistake, and both remain visible.
type Payment struct {
	ID          int64         `json:"id"`
	FeeID       int64         `json:"fee_id"`
	Kind        PaymentKind   `json:"kind"`
	AmountMinor int64         `json:"amount_minor"` // more than 0 for either kind
	Currency    Currency      `json:"currency"`     // the fee's
	Method      PaymentMethod `json:"method"`
	Reference   string        `json:"reference"` // of the receipt, the transfer, the cheque; up to 100 characters
	PaidOn      Date          `json:"paid_on"`   // when the money moved, which may be before it was recorded
	CreatedAt   time.Time     `json:"created_at"`
}

func (p Payment) id() int64 { return p.ID }

// Version returns the version that was read. A payment has only one, as payments do not change.
func (p Payment) Version() Version { return versionOf(p.CreatedAt) }

// Amount returns what was paid or refunded.
func (p Payment) Amount() Money { return Money{p.AmountMinor, p.Currency} }

// NewPayment is the input of [Payments.Record].
type NewPayment struct {
	FeeID       int64         `json:"fee_id"`
	Kind        PaymentKind   `json:"kind"`
	AmountMinor int64         `json:"amount_minor"`
	Currency    Currency      `json:"currency"`
	Method      PaymentMethod `json:"method"`
	Reference   string        `json:"reference"`
	PaidOn      Date          `json:"paid_on"`
}

// Amount returns what was paid or refunded.
func (n NewPayment) Amount() Money { return Money{n.AmountMinor, n.Currency} }

// Validate returns an [InputError] that names every invalid field.
func (n NewPayment) Validate() error {
	var r refusals
	r.reference("fee_id", &n.FeeID, feeEntity)
	if !slices.Contains(paymentKinds, n.Kind) {
		r.add("kind", "is neither payment nor refund")
	}
	r.amount(n.Amount())
	if !slices.Contains(paymentMethods, n.Method) {
		r.add("method", "is not a known method of payment")
	}
	if n.Reference != "" {
		r.text("reference", n.Reference, 100)
	}
	if n.PaidOn.Year() < 1900 || n.PaidOn.After(latestToday()) {
		r.add("paid_on", "is not between 1900 and today")
	}
	return r.err()
}

// latestToday returns a time on the latest date that is current anywhere: the easternmost time zone
// is 14 hours ahead of UTC.
func latestToday() time.Time { return time.Now().Add(14 * time.Hour) }

// IdempotencyKey identifies one payment to record, so that a client can repeat a request whose
// answer was lost: 1 to 255 visible ASCII characters, chosen by the client, unique in the school.
type IdempotencyKey string

// Validate returns an [InputError] if k is not a key.
func (k IdempotencyKey) Validate() error {
	var r refusals
	switch {
	case k == "":
		r.add("Idempotency-Key", "is empty")
	case utf8.RuneCountInString(string(k)) > 255:
		r.add("Idempotency-Key", "is too long")
	case slices.ContainsFunc([]byte(k), func(c byte) bool { return c <= ' ' || c > '~' }):
		r.add("Idempotency-Key", "holds a character that is not visible ASCII")
	}
	return r.err()
}
