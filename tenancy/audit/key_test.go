package audit_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// forge rewrites the history of a tenant as an owner without the key can: the owner removes the
// rows, writes them through another log, and puts those in their place.
func (f *fixture) forge(t *testing.T) {
	t.Helper()
	f.exec(t, "truncate public.audit_log, public.audit_heads, public.audit_ledger")
	l, err := audit.Open(t.Context(), f.db, audit.Config{})
	require.NoError(t, err)
	f.fill(t, l, 3, 1)
	closeLog(t, l)
}

func TestWithAKeyTheOwnerCannotRewriteRows(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key, old := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	for _, k := range [][]byte{old, key} {
		l, err := audit.Open(t.Context(), f.db, audit.Config{Key: k})
		require.NoError(t, err)
		f.fill(t, l, 3, 1)
		require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
		closeLog(t, l)
	}
	reader := func(keys ...[]byte) *audit.Reader {
		r, err := audit.NewReader(f.owner, audit.ReaderConfig{Keys: keys})
		require.NoError(t, err)
		return r
	}
	expectReport(t, reader(key, old), audit.VerifyOptions{})
	report, err := reader(key).VerifyAll(t.Context(), audit.VerifyOptions{})
	if assert.NoError(t, err, "without the old key: %+v", report) {
		assert.Error(t, report.Err(), "without the old key: %+v", report)
	}
	f.forge(t)
	expectReport(t, reader(), audit.VerifyOptions{}) // without a key the forgery is not found
	expectReport(t, reader(key, old, nil), audit.VerifyOptions{})
	report, err = reader(key, old).VerifyAll(t.Context(), audit.VerifyOptions{})
	assert.NoError(t, err, "a forged log: %+v", report)
	assert.Len(t, report.Problems, 5, "a forged log: %+v", report)
}

// Heads that are kept on another machine reveal the removal of rows and of their heads.
func TestExternalHeadsRevealRemovedRows(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var witnessed audit.ChainHead
	l, err := audit.Open(t.Context(), f.db, audit.Config{Witness: func(h audit.ChainHead) { witnessed = h }})
	require.NoError(t, err)
	f.fill(t, l, 5, 1)
	require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	kept, err := f.reader.Heads(t.Context())
	require.NoError(t, err)
	closeLog(t, l)
	assert.Equal(t, int64(7), witnessed.Position, "witnessed %v, kept %v", witnessed, kept)
	assert.Len(t, kept, 2, "witnessed %v, kept", witnessed)
	heads := append(kept, witnessed)
	expectReport(t, f.reader, audit.VerifyOptions{Heads: heads})

	f.exec(t, "delete from public.audit_log where position = 7; delete from public.audit_heads where position = 7")
	f.verify(t) // neither the newest rows nor their heads are there
	expectReport(t, f.reader, audit.VerifyOptions{Heads: heads}, audit.Missing)

	f.forge(t)
	f.verify(t)
	expectReport(t, f.reader, audit.VerifyOptions{Heads: heads}, audit.Missing, audit.Missing) // whole chains
}
