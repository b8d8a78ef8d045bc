package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// students returns the header of most tests: one table with rows, and one without.
func students() archive.Header {
	return archive.Header{
		Tenant: archive.Tenant{ID: 7, Slug: "north", Name: "North", Status: "active"}, Schema: "tenant_7",
		TakenAt: time.Date(2026, 3, 1, 12, 0, 0, 5000, time.UTC), Encoding: "UTF8", LargeObjects: "none",
		Migrations: []archive.Migration{{Version: 1, Source: "test", Name: "students"}},
		Tables: []archive.Table{
			{Name: "students", Columns: []archive.Column{
				{Name: "id", Type: "bigint", Identity: archive.IdentityAlways},
				{Name: "name", Type: "text"},
				{Name: "initial", Type: "text", Generated: archive.GeneratedStored},
			}},
			{Name: "Odd / name", Columns: []archive.Column{{Name: "x", Type: "integer"}}},
		},
		Sequences: []archive.Sequence{{Name: "students_id_seq", Last: 2, Called: true}},
	}
}

// content is the content of the header's tables.
var content = map[string]string{"students": "id,name\n1,Amara\n2,\"Br\"\"uno\"\n", "Odd / name": "x\n"}

// pack returns an archive with this header and content.
func pack(t testing.TB, header archive.Header, content map[string]string, opts archive.WriterOptions) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := archive.NewWriter(&buf, header, opts)
	require.NoError(t, err)
	defer w.Abort()
	for _, table := range header.Tables {
		tw, err := w.Table(table.Name)
		require.NoError(t, err)
		_, err = io.WriteString(tw, content[table.Name])
		require.NoError(t, err)
		require.NoError(t, tw.Close(int64(strings.Count(content[table.Name], "\n")-1)))
	}
	_, err = w.Close()
	require.NoError(t, err)
	return buf.Bytes()
}

// unpack reads an archive to its end.
func unpack(src io.Reader, opts archive.ReaderOptions) (r *archive.Reader, content map[string]string, err error) {
	r, err = archive.NewReader(src, opts)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	content = make(map[string]string)
	for {
		table, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r, content, nil
		}
		if err != nil {
			return r, content, err
		}
		text, err := io.ReadAll(table)
		if err != nil {
			return r, content, err
		}
		content[table.Name] = string(text)
	}
}

// expectFormat expects a FormatError of an entry, whose text contains reason.
func expectFormat(t testing.TB, err error, entry, reason string) {
	t.Helper()
	var format *archive.FormatError
	if assert.ErrorAs(t, err, &format, "got %v, want a FormatError of %q: %s", err, entry, reason) &&
		assert.Equal(t, entry, format.Entry, reason) {
		assert.Contains(t, format.Error(), reason)
	}
}

// rows returns n lines of CSV after a header line.
func rows(n int) string {
	var b strings.Builder
	b.WriteString("id,name\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,name %d\n", i, i*i)
	}
	return b.String()
}
