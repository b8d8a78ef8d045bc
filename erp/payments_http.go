package erp

import (
	"context"
	"net/http"
)

// registerPayments adds the routes of payments. Payments are recorded and read, and never changed.
func (m *Module) registerPayments(mux *http.ServeMux) {
	payments := NewPayments(m.db)
	res := resource[Payment, NewPayment]{
		entity: paymentEntity, path: "payments",
		list: func(ctx context.Context, p *params) ([]Payment, int64, error) {
			filter := PaymentFilter{
				FeeID: p.id("fee_id"), StudentID: p.id("student_id"),
				Kind: oneOf(p, "kind", paymentKinds), Method: oneOf(p, "method", paymentMethods),
				Reference: p.text("q"), PaidBefore: p.day("paid_before"), PaidAfter: p.day("paid_after"),
			}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return payments.List(ctx, filter, page)
		},
		get: payments.Get,
	}
	all, one := res.actions()
	all[http.MethodPost] = func(w http.ResponseWriter, r *http.Request) error {
		record := res
		record.create = func(ctx context.Context, n NewPayment) (Payment, error) {
			key, err := idempotencyKey(r)
			if err != nil {
				return Payment{}, err
			}
			return payments.Record(ctx, key, n)
		}
		return record.serveCreate(w, r) // a repeated request gets the first answer
	}
	m.handle(mux, "/api/payments", all)
	m.handle(mux, "/api/payments/{id}", one)
}

// idempotencyKey returns the Idempotency-Key of r, which is required.
func idempotencyKey(r *http.Request) (IdempotencyKey, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) != 1 {
		return "", &bodyError{
			status: http.StatusBadRequest, field: "Idempotency-Key",
			detail: "Send one Idempotency-Key, such as a random UUID, and the same when you repeat the request.",
		}
	}
	return IdempotencyKey(values[0]), nil
}
