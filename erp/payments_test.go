package erp_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/internal/pgtest"
)

func TestAFeeIsPaidInPartsAndRefunded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	fees, payments := erp.NewFees(f.db), erp.NewPayments(f.db)
	for i, step := range []struct {
		payment    erp.NewPayment
		paid, owed int64
		status     erp.FeeStatus
	}{
		{cash(fee, 30_00), 30_00, 70_00, erp.FeePartPaid},
		{cash(fee, 70_00), 100_00, 0, erp.FeePaid},
		{refund(fee, 99_99), 1, 99_99, erp.FeePartPaid},
		{refund(fee, 1), 0, 100_00, erp.FeeOpen},
		{cash(fee, 100_00), 100_00, 0, erp.FeePaid},
	} {
		got, err := payments.Record(ctx, erp.IdempotencyKey(fmt.Sprint(i)), step.payment)
		require.NoError(t, err)
		if assert.Equal(t, fee.ID, got.FeeID, "step %d: recorded %+v of %+v", i, got, step.payment) &&
			assert.Equal(t, step.payment.Amount(), got.Amount(), "step %d: recorded %+v of %+v", i, got, step.payment) {
			assert.Equal(t, step.payment.Kind, got.Kind, "step %d: recorded %+v of %+v", i, got, step.payment)
		}
		now, err := fees.Get(ctx, fee.ID)
		require.NoError(t, err)
		assert.Equal(t, step.paid, now.PaidMinor,
			"step %d: %+v, want %d paid, %d owed, %s", i, now, step.paid, step.owed, step.status)
		assert.Equal(t, step.owed, now.OwedMinor,
			"step %d: %+v, want %d paid, %d owed, %s", i, now, step.paid, step.owed, step.status)
		assert.Equal(t, step.status, now.Status, "step %d: %+v, want %d paid, %d owed", i, now, step.paid, step.owed)
	}
	f.expectBalanced(t, f.a)
}

func TestInvalidPaymentsAreRefusedAndWriteNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	payments := erp.NewPayments(f.db)
	_, err := payments.Record(ctx, "taken", cash(fee, 40_00))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		key      erp.IdempotencyKey
		change   func(n *erp.NewPayment)
		field    string
		conflict bool
	}{
		"one cent too much": {"k", func(n *erp.NewPayment) { n.AmountMinor = 60_01 }, "amount_minor", true},
		"far too much":      {"k", func(n *erp.NewPayment) { n.AmountMinor = erp.MaxAmountMinor }, "amount_minor", true},
		"beyond all": {
			"k",
			func(n *erp.NewPayment) { n.AmountMinor = erp.MaxAmountMinor + 1 },
			"amount_minor",
			false,
		},
		"nothing":           {"k", func(n *erp.NewPayment) { n.AmountMinor = 0 }, "amount_minor", false},
		"less than nothing": {"k", func(n *erp.NewPayment) { n.AmountMinor = -1 }, "amount_minor", false},
		"refund of too much": {
			"k",
			func(n *erp.NewPayment) { n.Kind, n.AmountMinor = erp.KindRefund, 40_01 },
			"amount_minor",
			true,
		},
		"other currency":    {"k", func(n *erp.NewPayment) { n.Currency = "USD" }, "currency", false},
		"no currency":       {"k", func(n *erp.NewPayment) { n.Currency = "XXX" }, "currency", false},
		"lower case":        {"k", func(n *erp.NewPayment) { n.Currency = "eur" }, "currency", false},
		"no such fee":       {"k", func(n *erp.NewPayment) { n.FeeID = 99 }, "fee_id", false},
		"no fee":            {"k", func(n *erp.NewPayment) { n.FeeID = 0 }, "fee_id", false},
		"no kind":           {"k", func(n *erp.NewPayment) { n.Kind = "" }, "kind", false},
		"no method":         {"k", func(n *erp.NewPayment) { n.Method = "barter" }, "method", false},
		"control character": {"k", func(n *erp.NewPayment) { n.Reference = "a\x00" }, "reference", false},
		"no day":            {"k", func(n *erp.NewPayment) { n.PaidOn = erp.Date{} }, "paid_on", false},
		"the day after next": {
			"k",
			func(n *erp.NewPayment) { n.PaidOn = erp.Date{Time: time.Now().Add(48 * time.Hour)} },
			"paid_on",
			false,
		},
		"no key":              {"", func(*erp.NewPayment) {}, "Idempotency-Key", false},
		"blank in the key":    {"a b", func(*erp.NewPayment) {}, "Idempotency-Key", false},
		"other amount by key": {"taken", func(n *erp.NewPayment) { n.AmountMinor = 1 }, "Idempotency-Key", false},
		"other kind by key":   {"taken", func(n *erp.NewPayment) { n.Kind = erp.KindRefund }, "Idempotency-Key", false},
		"other day by key": {
			"taken",
			func(n *erp.NewPayment) { n.PaidOn = erp.NewDate(2026, 1, 1) },
			"Idempotency-Key",
			false,
		},
	} {
		n := cash(fee, 40_00)
		c.change(&n)
		_, err := payments.Record(ctx, c.key, n)
		expectInputError(t, name, err, c.field, c.conflict)
	}
	all, _, err := payments.List(ctx, erp.PaymentFilter{}, erp.Page{})
	assert.NoError(t, err, "%d payments, want 1", len(all))
	assert.Len(t, all, 1, "%d payments, want 1", len(all))
	f.expectBalanced(t, f.a)
}

// Sixteen concurrent payments each pay a quarter of the fee: four succeed.
func TestConcurrentPaymentsNeverExceedWhatIsOwed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	payments := erp.NewPayments(f.db)
	record := func(kind string, n erp.NewPayment) (accepted int) {
		var all sync.WaitGroup
		results := make(chan error, 16)
		for i := range cap(results) {
			all.Go(func() {
				_, err := payments.Record(ctx, erp.IdempotencyKey(fmt.Sprint(kind, i)), n)
				results <- err
			})
		}
		all.Wait()
		close(results)
		for err := range results {
			if err == nil {
				accepted++
				continue
			}
			expectInputError(t, kind, err, "amount_minor", true)
		}
		return accepted
	}
	assert.Equal(t, 4, record("pay", cash(fee, 25_00)), "accepted payments of a quarter")
	f.expectBalanced(t, f.a)
	assert.Equal(t, 2, record("refund", refund(fee, 50_00)), "accepted refunds of a half")
	f.expectBalanced(t, f.a)
}

func TestConcurrentRepetitionsRecordOnePayment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	var all sync.WaitGroup
	ids := make(chan int64, 16)
	for range cap(ids) {
		all.Go(func() {
			payment, err := erp.NewPayments(f.db).Record(ctx, "once", cash(fee, 10_00))
			assert.NoError(t, err)
			ids <- payment.ID
		})
	}
	all.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		assert.Equal(t, first, id, "payments %d and %d under one key", first, id)
	}
	now, err := erp.NewFees(f.db).Get(ctx, fee.ID)
	require.NoError(t, err)
	assert.Equal(t, int64(10_00), now.PaidMinor, "%d paid", now.PaidMinor)
	f.expectBalanced(t, f.a)
}

// Sixteen concurrent payments use one key for eight fees: one fee is paid, and the others are
// refused because the key is taken.
func TestIdempotencyKeyIsForOneFeeUnderConcurrency(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	fees := make([]erp.Fee, 8)
	for i := range fees {
		fees[i] = f.addFee(t, f.a, fmt.Sprint(i))
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			_, err := erp.NewPayments(f.db).Record(ctx, "once", cash(fees[i%len(fees)], 10_00))
			if err != nil {
				expectInputError(t, "second fee", err, "Idempotency-Key", false)
			}
		})
	}
	all.Wait()
	recorded, _, err := erp.NewPayments(f.db).List(ctx, erp.PaymentFilter{}, erp.Page{})
	assert.NoError(t, err, "%d payments", len(recorded))
	assert.Len(t, recorded, 1, "%d payments", len(recorded))
	f.expectBalanced(t, f.a)
}

// A payment waits for another transaction that uses its key. The outcome of that transaction
// decides.
func TestARepetitionWaitsForTheFirstAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome error
		paid    int64
	}{"which succeeds": {nil, 10_00}, "which is rolled back": {errors.New("crash"), 10_00}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
			done := make(chan error, 1)
			err := f.db.InTx(ctx, func(tx pgx.Tx) error {
				_, err := erp.NewPayments(tx).Record(ctx, "once", cash(fee, 10_00))
				require.NoError(t, err)
				go func() {
					_, err := erp.NewPayments(f.db).Record(ctx, "once", cash(fee, 10_00))
					done <- err
				}()
				f.awaitBlocked(t)
				return c.outcome
			})
			require.ErrorIs(t, err, c.outcome)
			require.NoError(t, <-done)
			now, err := erp.NewFees(f.db).Get(ctx, fee.ID)
			require.NoError(t, err)
			assert.Equal(t, c.paid, now.PaidMinor)
			f.expectBalanced(t, f.a)
		})
	}
}

// The server ends the connection before the commit; the client tries again with the same key.
func TestAPaymentIsRepeatedAfterACrash(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	err := f.db.InTx(ctx, func(tx pgx.Tx) error {
		_, err := erp.NewPayments(tx).Record(ctx, "once", cash(fee, 10_00))
		require.NoError(t, err)
		var pid int
		require.NoError(t, tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid))
		_, err = pgtest.New(t).Pool.Exec(t.Context(), "select pg_terminate_backend($1)", pid)
		require.NoError(t, err)
		return nil
	})
	require.Error(t, err, "the commit succeeded on a closed connection")
	for range 2 { // after the crash, and after a lost answer
		payment, err := erp.NewPayments(f.db).Record(ctx, "once", cash(fee, 10_00))
		require.NoError(t, err)
		got, err := erp.NewPayments(f.db).Get(ctx, payment.ID)
		assert.NoError(t, err, "%+v, recorded %+v", got, payment)
		assert.Equal(t, payment, got, "%+v, recorded %+v", got, payment)
	}
	f.expectBalanced(t, f.a)
}

func TestPaymentsAreNeverChangedOrDeleted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	_, err := erp.NewPayments(f.db).Record(ctx, "once", cash(fee, 10_00))
	require.NoError(t, err)
	for _, sql := range []string{"update payments set amount_minor = 1", "delete from payments", "delete from fees"} {
		_, err := f.db.Exec(ctx, sql)
		pgErr := (*pgconn.PgError)(nil)
		if assert.ErrorAs(t, err, &pgErr, sql) {
			assert.Equal(t, "23", pgErr.Code[:2], sql)
		}
	}
	f.expectBalanced(t, f.a)
}

func TestCancelledFeeAcceptsNoPayment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	fees, payments := erp.NewFees(f.db), erp.NewPayments(f.db)
	_, err := payments.Record(ctx, "1", cash(fee, 10_00))
	require.NoError(t, err)
	_, err = fees.Update(ctx, fee.ID, erp.AnyVersion, erp.FeeChange{DueOn: dueOn, Cancelled: true})
	expectInputError(t, "cancel a fee that is paid in part", err, "cancelled", true)
	_, err = payments.Record(ctx, "2", refund(fee, 10_00))
	require.NoError(t, err)
	fee, err = fees.Update(ctx, fee.ID, erp.AnyVersion, erp.FeeChange{DueOn: dueOn, Cancelled: true})
	require.NoError(t, err, fee)
	require.Equal(t, erp.FeeCancelled, fee.Status, fee)
	require.Zero(t, fee.OwedMinor, fee)
	require.NotNil(t, fee.CancelledAt, fee)
	_, err = payments.Record(ctx, "3", cash(fee, 1))
	expectInputError(t, "pay a cancelled fee", err, "fee_id", true)
	_, err = payments.Record(ctx, "4", refund(fee, 1))
	expectInputError(t, "refund a cancelled fee", err, "fee_id", true)
	fee, err = fees.Update(ctx, fee.ID, erp.AnyVersion, erp.FeeChange{DueOn: dueOn})
	require.NoError(t, err, fee)
	require.Equal(t, erp.FeeOpen, fee.Status, fee)
	require.Equal(t, int64(100_00), fee.OwedMinor, fee)
	require.Nil(t, fee.CancelledAt, fee)
	_, err = payments.Record(ctx, "5", cash(fee, 100_00))
	require.NoError(t, err)
	f.expectBalanced(t, f.a)
}

func TestAFeeIsEitherCancelledOrPaid(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, fee := asSystem(f.a), f.addFee(t, f.a, "1")
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if i%2 == 0 {
				_, err := erp.NewFees(f.db).Update(ctx, fee.ID, erp.AnyVersion, erp.FeeChange{DueOn: dueOn, Cancelled: true})
				if err != nil {
					expectInputError(t, "cancel", err, "cancelled", true)
				}
				return
			}
			_, err := erp.NewPayments(f.db).Record(ctx, erp.IdempotencyKey(fmt.Sprint(i)), cash(fee, 1))
			if err != nil {
				expectInputError(t, "pay", err, "fee_id", true)
			}
		})
	}
	all.Wait()
	now, err := erp.NewFees(f.db).Get(ctx, fee.ID)
	require.NoError(t, err)
	cancelled, paid := now.CancelledAt != nil, now.PaidMinor > 0
	assert.NotEqual(t, paid, cancelled, "cancelled: %t, and %s paid", cancelled, now.Paid())
	f.expectBalanced(t, f.a)
}
