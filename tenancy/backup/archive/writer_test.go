package archive_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestAWriterKeepsToItsHeader(t *testing.T) {
	t.Parallel()
	w, err := archive.NewWriter(io.Discard, students(), archive.WriterOptions{})
	require.NoError(t, err)
	defer w.Abort()
	_, err = w.Table("Odd / name")
	assert.ErrorIs(t, err, archive.ErrOrder)
	first, err := w.Table("students")
	require.NoError(t, err)
	_, err = w.Table("Odd / name")
	assert.ErrorIs(t, err, archive.ErrOrder)
	assert.ErrorIs(t, first.Close(0), archive.ErrOrder) // without a header line
	_, err = io.WriteString(first, "id,name\n")
	require.NoError(t, err)
	assert.ErrorIs(t, first.Close(-1), archive.ErrOrder)
	require.NoError(t, first.Close(0))
	assert.ErrorIs(t, first.Close(0), archive.ErrOrder)
	_, err = first.Write([]byte("x"))
	assert.ErrorIs(t, err, archive.ErrOrder)
	_, err = w.Table("students")
	assert.ErrorIs(t, err, archive.ErrOrder)
	_, err = w.Close()
	assert.ErrorIs(t, err, archive.ErrOrder)
	_, err = w.Close()
	assert.ErrorIs(t, err, archive.ErrOrder)
	_, err = w.Table("Odd / name")
	assert.ErrorIs(t, err, archive.ErrOrder)
}

func TestAWriterRefusesHeadersThatAReaderRefuses(t *testing.T) {
	t.Parallel()
	for reason, alter := range map[string]func(h *archive.Header){
		"occurs twice":     func(h *archive.Header) { h.Tables[1].Name = "students" },
		"is not 1 to 63":   func(h *archive.Header) { h.Tables[1].Name = "" },
		"over the limit":   func(h *archive.Header) { h.Tables[0].Columns = make([]archive.Column, 1601) },
		"is not UTF8":      func(h *archive.Header) { h.Encoding = "" },
		"large objects":    func(h *archive.Header) { h.LargeObjects = "" },
		"json":             func(h *archive.Header) { h.Tenant.Metadata = []byte("{") },
		"20001 tables":     func(h *archive.Header) { h.Tables = make([]archive.Table, 20_001) },
		`"sideways"`:       func(h *archive.Header) { h.Tables[0].Columns[0].Identity = "sideways" },
		`"a" occurs twice`: func(h *archive.Header) { h.Sequences = []archive.Sequence{{Name: "a"}, {Name: "a"}} },
		`"b" occurs twice`: func(h *archive.Header) {
			h.MaterializedViews = []archive.MaterializedView{
				{Name: "b"},
				{Name: "b"},
			}
		},
		"unknown policy": func(h *archive.Header) { h.LargeObjects = "some" },
	} {
		h := students()
		alter(&h)
		var buf bytes.Buffer
		_, err := archive.NewWriter(&buf, h, archive.WriterOptions{})
		assert.ErrorContains(t, err, reason)
		assert.Zero(t, buf.Len(), reason)
	}
	for _, opts := range []archive.WriterOptions{
		{Level: 20}, {Level: -1}, {PartSize: 1}, {PartSize: 1 << 30}, {Workers: -1}, {Recipients: []age.Recipient{nil}},
	} {
		_, err := archive.NewWriter(io.Discard, students(), opts)
		assert.Error(t, err, "%+v was accepted", opts)
	}
}

// full is a writer that accepts left bytes and then fails.
type full struct {
	left int
	err  error
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return 0, f.err
	}
	f.left -= len(p)
	return len(p), nil
}

func TestAFullDiskEndsAnArchive(t *testing.T) {
	t.Parallel()
	disk := errors.New("disk is full")
	identity := newIdentity(t)
	text := rows(30_000)
	for _, recipients := range [][]age.Recipient{nil, {identity.Recipient()}} {
		for left := 0; left < 160_000; left += 10_000 {
			err := func() error {
				w, err := archive.NewWriter(&full{left, disk}, students(),
					archive.WriterOptions{Recipients: recipients, PartSize: 64 << 10})
				if err != nil {
					return err
				}
				defer w.Abort()
				for _, table := range students().Tables {
					tw, err := w.Table(table.Name)
					if err != nil {
						return err
					}
					if _, err := io.WriteString(tw, text); err != nil {
						return err
					}
					if err := tw.Close(1); err != nil {
						return err
					}
				}
				_, err = w.Close()
				return err
			}()
			assert.ErrorIs(t, err, disk)
		}
	}
}

func TestAnAbortedArchiveIsInvalid(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	w, err := archive.NewWriter(&buf, students(), archive.WriterOptions{PartSize: 64 << 10})
	require.NoError(t, err)
	tw, err := w.Table("students")
	require.NoError(t, err)
	_, err = io.WriteString(tw, rows(50_000))
	require.NoError(t, err)
	w.Abort()
	w.Abort()
	_, err = w.Close()
	assert.ErrorIs(t, err, archive.ErrOrder)
	_, _, err = unpack(&buf, archive.ReaderOptions{})
	assert.ErrorIs(t, err, archive.ErrTruncated)
}
