package erp

import (
	"context"
	"errors"
)

// Payments are what was paid and refunded in the school of the context. It is safe for
// concurrent use if its Querier is.
type Payments struct{ table[Payment] }

// NewPayments returns the payments that db reaches.
func NewPayments(db Querier) Payments {
	return Payments{table[Payment]{db: db, noun: paymentNoun, columns: paymentColumns}}
}

// paymentColumns are those of [Payment], in its order.
const paymentColumns = "payments.id, fee_id, kind, amount_minor, currency, method, reference, paid_on, created_at"

// PaymentFilter narrows a list of payments down. Its zero value does not.
type PaymentFilter struct {
	FeeID      int64
	StudentID  int64 // whose fee it is
	Kind       PaymentKind
	Method     PaymentMethod
	Reference  string // a part of it, in any case
	PaidBefore *Date  // paid on an earlier day
	PaidAfter  *Date  // paid on a later day
}

func (f PaymentFilter) conditions() (c conditions) {
	c.id("fee_id = ?", f.FeeID)
	c.id("fee_id in (select fees.id from fees where student_id = ?)", f.StudentID)
	c.is("kind = ?", string(f.Kind))
	c.is("method = ?", string(f.Method))
	c.search("reference", f.Reference)
	c.day("paid_on < ?", f.PaidBefore)
	c.day("paid_on > ?", f.PaidAfter)
	return c
}

// List returns the payments of a page by id, and the After of the next page, or 0 when there is
// none. A page that cannot be is an [InputError].
func (p Payments) List(ctx context.Context, f PaymentFilter, page Page) (payments []Payment, next int64, err error) {
	return p.list(ctx, page, f.conditions())
}

// Get returns a payment, or [ErrNotFound].
func (p Payments) Get(ctx context.Context, id int64) (Payment, error) { return p.get(ctx, id) }

// Record records a payment or a refund of a fee, once for each key: what was recorded under the
// key before, from the same input, is returned again, and nothing is written. So a caller who does
// not know what became of a call repeats it.
//
// Input that is refused is an [InputError]: by [NewPayment.Validate]; because the fee is not there
// or in another currency, or the key stands for another payment; and, with Conflict, because the
// fee is cancelled, less is owed, or less has been paid than is to be refunded. Whatever happens at
// the same time, what has been paid for a fee is never less than nothing nor more than its amount:
// the database holds that.
func (p Payments) Record(ctx context.Context, key IdempotencyKey, n NewPayment) (Payment, error) {
	insert, err := changing(ctx, p.noun)
	if err != nil {
		return Payment{}, p.failed("record", err)
	}
	if err := errors.Join(key.Validate(), n.Validate()); err != nil {
		return Payment{}, err
	}
	p.record(insert, key, n)
	payment, err := p.one(ctx, "record", insert)
	switch {
	case errors.Is(err, ErrNotFound):
		return p.recorded(ctx, key, n)
	case refers(err, "cancelled"):
		return Payment{}, clash("fee_id", "is cancelled").err()
	}
	return payment, err
}

// record inserts a payment and brings its fee up to date. Who comes second with a key waits for the
// first to be there, and then does nothing; who comes second to a fee waits for the first, and
// calculates with what that has left.
func (p Payments) record(insert *statement, key IdempotencyKey, n NewPayment) {
	change := n.AmountMinor
	if n.Kind == KindRefund {
		change = -change
	}
	insert.add("with made as (insert into payments (fee_id, kind, amount_minor, currency, method, reference, paid_on, idempotency_key)")
	insert.add(" select id, ?, ?, ?, ?, ?, ?, ? from fees where ", n.Kind, n.AmountMinor, n.Currency, n.Method, n.Reference, n.PaidOn, key)
	insert.add("id = ? and ", n.FeeID)
	insert.current()
	insert.add(" on conflict (idempotency_key) do nothing returning *), ")
	insert.add("fee as (update fees set paid_minor = paid_minor + ?, "+touch("fees")+" from made where fees.id = made.fee_id)", change)
	insert.add(" select " + p.columns + " from made payments")
}

// recorded returns the payment that a key stands for already, if it was made of n. Where there is
// none, it was the fee that was missing.
func (p Payments) recorded(ctx context.Context, key IdempotencyKey, n NewPayment) (Payment, error) {
	s, err := reading(ctx, p.noun)
	if err != nil {
		return Payment{}, p.failed("record", err)
	}
	s.add("select "+p.columns+" from payments where idempotency_key = ?", key)
	s.visible()
	earlier, err := p.one(ctx, "record", s)
	switch {
	case errors.Is(err, ErrNotFound):
		return Payment{}, unknown("fee_id", "is no fee of this school").err()
	case err == nil && !earlier.isOf(n):
		return Payment{}, unknown("Idempotency-Key", "stands for another payment").err()
	}
	return earlier, err
}

// isOf reports whether the payment was made of n.
func (p Payment) isOf(n NewPayment) bool {
	n.PaidOn = NewDate(n.PaidOn.Date())
	return NewPayment{p.FeeID, p.Kind, p.AmountMinor, p.Currency, p.Method, p.Reference, NewDate(p.PaidOn.Date())} == n
}

// refers reports whether err refuses the field.
func refers(err error, field string) bool {
	var input *InputError
	return errors.As(err, &input) && len(input.Fields) == 1 && input.Fields[0].Field == field
}
