package erp

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Payments stores the payments and refunds of the school of the context. It is safe for concurrent
// use if its [Querier] is.
type Payments struct{ table[Payment] }

// NewPayments returns the store of payments on db.
func NewPayments(db Querier) Payments {
	return Payments{table[Payment]{db: db, entity: paymentEntity, columns: always(paymentColumns)}}
}

// paymentColumns are the columns of [Payment], in the order of its fields.
const paymentColumns = "payments.id, fee_id, kind, amount_minor, currency, method, reference, paid_on, created_at"

// PaymentFilter limits a list of payments. The zero value does not limit it.
type PaymentFilter struct {
	FeeID      int64
	StudentID  int64 // the student of the fee
	Kind       PaymentKind
	Method     PaymentMethod
	Reference  string // a part of the reference, case-insensitive
	PaidBefore *Date  // paid on an earlier day
	PaidAfter  *Date  // paid on a later day
}

func (f PaymentFilter) filter(access) (where filter) {
	where.id("fee_id = @fee_id", "fee_id", f.FeeID)
	where.id("fee_id in (select fees.id from fees where student_id = @student_id)", "student_id", f.StudentID)
	where.text("kind = @kind", "kind", string(f.Kind))
	where.text("method = @method", "method", string(f.Method))
	where.search("reference", f.Reference)
	where.day("paid_on < @paid_before", "paid_before", f.PaidBefore)
	where.day("paid_on > @paid_after", "paid_after", f.PaidAfter)
	return where
}

// List returns a page of payments by id, and the After of the next page, or 0 if there is none. If
// page is invalid, the error is an [InputError].
func (p Payments) List(
	ctx context.Context, f PaymentFilter, page Page,
) (payments []Payment, next int64, err error) {
	return p.list(ctx, page, f.filter)
}

// Get returns a payment, or [ErrNotFound].
func (p Payments) Get(ctx context.Context, id int64) (Payment, error) { return p.get(ctx, id) }

// Record records a payment or a refund of a fee, once for each key. If a payment was recorded with
// the same key and the same input before, Record returns that payment and writes nothing. So a
// caller that does not know whether a call succeeded repeats the call.
//
// The error is an [InputError] if [NewPayment.Validate] refuses n, if the fee does not exist or has
// another currency, or if the key belongs to another payment. It is an InputError with Conflict if
// the fee is cancelled, if the payment is more than is owed, or if the refund is more than has been
// paid. Constraints of the table ensure that the sum paid for a fee is never negative and never
// more than its amount, also under concurrent calls.
func (p Payments) Record(ctx context.Context, key IdempotencyKey, n NewPayment) (Payment, error) {
	a, err := mayChange(ctx, p.entity)
	if err != nil {
		return Payment{}, p.failed("record", err)
	}
	if err := errors.Join(key.Validate(), n.Validate()); err != nil {
		return Payment{}, err
	}
	payment, err := p.record(ctx, a, key, n)
	switch {
	case errors.Is(err, ErrNotFound):
		return p.recorded(ctx, key, n)
	case refers(err, "cancelled"):
		return Payment{}, clash("fee_id", "is cancelled").err()
	}
	return payment, err
}

// record inserts a payment and updates its fee. A concurrent call with the same key waits for the
// first to commit, and then inserts nothing. A concurrent call for the same fee waits too, and then
// calculates with the new sum.
func (p Payments) record(ctx context.Context, a access, key IdempotencyKey, n NewPayment) (Payment, error) {
	change := n.AmountMinor
	if n.Kind == KindRefund {
		change = -change
	}
	return p.one(ctx, "record", a, `
		with inserted as (
			insert into payments (fee_id, kind, amount_minor, currency, method, reference, paid_on, idempotency_key)
			select id, @kind, @amount_minor, @currency, @method, @reference, @paid_on, @key
			from fees where id = @fee_id and `+a.session()+`
			on conflict (idempotency_key) do nothing returning *
		), fee as (
			update fees set paid_minor = paid_minor + @change, `+touch("fees")+`
			from inserted where fees.id = inserted.fee_id
		)
		select `+paymentColumns+" from inserted payments",
		pgx.StrictNamedArgs{
			"fee_id": n.FeeID, "kind": n.Kind, "amount_minor": n.AmountMinor, "currency": n.Currency,
			"method": n.Method, "reference": n.Reference, "paid_on": n.PaidOn, "key": key, "change": change,
		})
}

// recorded returns the payment that has the key, if it was recorded from n. If no payment has the
// key, the fee does not exist.
func (p Payments) recorded(ctx context.Context, key IdempotencyKey, n NewPayment) (Payment, error) {
	a, err := mayRead(ctx, p.entity)
	if err != nil {
		return Payment{}, p.failed("record", err)
	}
	earlier, err := p.one(ctx, "record", a, "select "+paymentColumns+
		" from payments where idempotency_key = @key and "+a.visible(), pgx.StrictNamedArgs{"key": key})
	switch {
	case errors.Is(err, ErrNotFound):
		return Payment{}, unknown("fee_id", "is no fee of this school").err()
	case err == nil && !earlier.isOf(n):
		return Payment{}, unknown("Idempotency-Key", "stands for another payment").err()
	}
	return earlier, err
}

// isOf reports whether the payment was recorded from n.
func (p Payment) isOf(n NewPayment) bool {
	n.PaidOn = NewDate(n.PaidOn.Date())
	paidOn := NewDate(p.PaidOn.Date())
	return NewPayment{p.FeeID, p.Kind, p.AmountMinor, p.Currency, p.Method, p.Reference, paidOn} == n
}

// refers reports whether err is an [InputError] that refuses only that field.
func refers(err error, field string) bool {
	var input *InputError
	return errors.As(err, &input) && len(input.Fields) == 1 && input.Fields[0].Field == field
}
