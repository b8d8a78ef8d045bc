package erp_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/erp"
)

// A payment has an idempotency key. The client can repeat it if it does not know the result, and
// the payment is recorded once.
func ExamplePayments_Record() {
	s, done := newSchools()
	defer done()
	ctx := s.Context("schoola")
	fee := s.addFee(ctx)
	fmt.Println(fee.Owed(), "owed")

	payments := erp.NewPayments(s.DB)
	part := erp.NewPayment{
		FeeID: fee.ID, Kind: erp.KindPayment, AmountMinor: 100_00, Currency: "EUR",
		Method: erp.MethodBankTransfer, Reference: "2026-0815", PaidOn: erp.NewDate(2026, time.September, 1),
	}
	for range 2 { // the answer to the first call was lost
		payment, err := payments.Record(ctx, "8e03978e-40d5-43dd-bc93-6894a57f9324", part)
		fmt.Println(payment.ID, payment.Amount(), err)
	}
	fee, err := erp.NewFees(s.DB).Get(ctx, fee.ID)
	fmt.Println(fee.Paid(), "paid,", fee.Owed(), "owed:", fee.Status, err)

	tooMuch := part
	tooMuch.AmountMinor = 150_01
	_, err = payments.Record(ctx, "0c5dd47e-5ac3-4f1b-a1e3-9e0b7a0f3f52", tooMuch)
	var refused *erp.InputError
	fmt.Println(errors.As(err, &refused), refused)

	// Output:
	// 250.00 EUR owed
	// 1 100.00 EUR <nil>
	// 1 100.00 EUR <nil>
	// 100.00 EUR paid, 150.00 EUR owed: part_paid <nil>
	// true amount_minor is more than is owed
}
