package audit_test

import (
	"bytes"
	"testing"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// forge writes a tenant's history anew, as who knows the algorithm and no key can: an owner who takes the rows out, runs
// them through a log of its own, and puts them back in the place of the others.
func (f *fixture) forge(t *testing.T) {
	t.Helper()
	f.exec(t, "truncate public.audit_log, public.audit_heads, public.audit_ledger")
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	check(t, err)
	f.fill(t, l, 3, 1)
	closeLog(t, l)
}

func TestWithAKeyNobodyWritesHistoryAnew(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key, old := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	for _, k := range [][]byte{old, key} {
		l, err := audit.Open(t.Context(), f.db, audit.Config{Key: k})
		check(t, err)
		f.fill(t, l, 3, 1)
		check(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
		closeLog(t, l)
	}
	reader := func(keys ...[]byte) *audit.Reader {
		r, err := audit.NewReader(f.owner, audit.ReaderConfig{Keys: keys})
		check(t, err)
		return r
	}
	expectReport(t, reader(key, old), audit.VerifyOptions{})
	if report, err := reader(key).VerifyAll(t.Context(), audit.VerifyOptions{}); err != nil || report.Err() == nil {
		t.Errorf("without the old key: %+v, %v", report, err)
	}
	f.forge(t)
	expectReport(t, reader(), audit.VerifyOptions{}) // without a key it cannot be seen
	expectReport(t, reader(key, old, nil), audit.VerifyOptions{})
	if report, err := reader(key, old).VerifyAll(t.Context(), audit.VerifyOptions{}); err != nil || len(report.Problems) != 5 {
		t.Errorf("a forged log: %+v, %v", report, err)
	}
}

// Heads that were kept elsewhere find what nothing in the database tells of.
func TestHeadsFromElsewhereFindWhatIsGone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var witnessed audit.Head
	l, err := audit.Open(t.Context(), f.db, audit.Config{Witness: func(h audit.Head) { witnessed = h }})
	check(t, err)
	f.fill(t, l, 5, 1)
	check(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	kept, err := f.reader.Heads(t.Context())
	check(t, err)
	closeLog(t, l)
	if witnessed.Position != 7 || len(kept) != 2 {
		t.Errorf("witnessed %v, kept %v", witnessed, kept)
	}
	heads := append(kept, witnessed)
	expectReport(t, f.reader, audit.VerifyOptions{Heads: heads})

	f.exec(t, "delete from public.audit_log where position = 7; delete from public.audit_heads where position = 7")
	f.verify(t) // the newest rows are gone, and what the database says of them
	expectReport(t, f.reader, audit.VerifyOptions{Heads: heads}, audit.Missing)

	f.forge(t)
	f.verify(t)
	expectReport(t, f.reader, audit.VerifyOptions{Heads: heads}, audit.Missing, audit.Missing) // the whole chains
}
