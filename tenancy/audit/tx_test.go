package audit_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func TestAnEntryIsThereWithItsTransactionAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	e := audit.Entry{Tenant: 1, Action: audit.Export, Actor: "ada"}
	no := errors.New("no")
	expectIs(t, pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
		check(t, l.WriteTx(t.Context(), tx, e))
		return no
	}), no)
	if n := f.count(t, "true"); n != 0 {
		t.Errorf("%d rows of a transaction that was rolled back", n)
	}
	for range 2 {
		check(t, pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
			check(t, l.WriteTx(t.Context(), tx, e))
			return l.WriteTx(t.Context(), tx, e)
		}))
	}
	public := schemactx.NewPublicContext(t.Context()) // of the program, in the public scope
	check(t, f.db.InTx(public, func(tx pgx.Tx) error { return l.WriteTx(public, tx, e) }))
	if n := f.count(t, "tenant_id = 1 and action = 'export'"); n != 5 {
		t.Errorf("%d rows", n)
	}
	report := f.verify(t)
	if report.Chains != 1 || report.Rows != 6 {
		t.Errorf("%+v", report)
	}
}

func TestWriteSaysWhenItCannot(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	back := f.away(t)
	if err := l.Write(t.Context(), audit.Entry{Action: audit.Export}); stateOf(err) != "42P01" {
		t.Errorf("got %v", err)
	}
	back()
	check(t, l.Write(t.Context(), audit.Entry{Action: audit.Export}))
	f.verify(t)
}
