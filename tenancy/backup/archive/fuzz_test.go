package archive_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// FuzzReader looks for an input that makes the reader panic or exceed its limits. It also looks for
// one that the reader accepts although its content differs from its manifest, or its header cannot
// be written again.
func FuzzReader(f *testing.F) {
	_, key := newKey(f)
	f.Add(pack(f, students(), content, archive.WriterOptions{}))
	f.Add(pack(f, students(), content, archive.WriterOptions{SigningKey: key}))
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Add([]byte{})
	limits := archive.Limits{HeaderBytes: 1 << 20, Tables: 10, Columns: 20, TableBytes: 1 << 20, TotalBytes: 2 << 20}
	f.Fuzz(func(t *testing.T, input []byte) {
		r, got, err := unpack(bytes.NewReader(input), archive.ReaderOptions{Limits: limits})
		total := 0
		for _, text := range got {
			total += len(text)
		}
		assert.LessOrEqual(t, total, 2<<20+archive.MaxPartSize, "%d bytes of CSV", total)
		if err != nil {
			return
		}
		h, m := r.Header(), r.Manifest()
		if assert.Len(t, got, len(h.Tables), "%d tables of %d bytes, manifest %+v", len(got), total, m) &&
			assert.Len(t, m.Tables, len(h.Tables), "%d tables of %d bytes, manifest %+v", len(got), total, m) {
			assert.Equal(t, int64(total), m.Bytes(), "%d tables of %d bytes, manifest %+v", len(got), total, m)
		}
		var again bytes.Buffer // an accepted header can be written again
		w, err := archive.NewWriter(&again, h, archive.WriterOptions{PartSize: h.PartSize})
		require.NoError(t, err)
		w.Abort()
	})
}
