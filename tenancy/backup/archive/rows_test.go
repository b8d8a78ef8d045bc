package archive_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestRowsAreCountedAsCopyCountsThem(t *testing.T) {
	t.Parallel()
	header := students()
	header.Tables = header.Tables[:1]
	for csv, rows := range map[string]int64{
		"id,name\n":                             0,
		"id,name\n1,a\n":                        1,
		"id,name\n1,a":                          1,
		"id,name\n\n\n":                         2,
		"id,name\n1,\"a\nb\"\n2,c\n":            2,
		"id,name\n1,\"a\"\"\nb\"\"\"\n2,\"\"\n": 2,
		"\"i\nd\",name\n1,a\n":                  1,
		"id,name\n" + strings.Repeat("1,\"a\n\"\"b\"\n", 20_000): 20_000, // cut into parts within quotes
	} {
		for _, said := range []int64{rows, rows + 1} {
			var buf bytes.Buffer
			w, err := archive.NewWriter(&buf, header, archive.WriterOptions{PartSize: 64 << 10})
			require.NoError(t, err)
			tw, err := w.Table("students")
			require.NoError(t, err)
			_, err = io.WriteString(tw, csv)
			require.NoError(t, err)
			require.NoError(t, tw.Close(said))
			_, err = w.Close()
			require.NoError(t, err)
			r, _, err := unpack(&buf, archive.ReaderOptions{})
			require.NoError(t, err)
			if err := r.CheckRows(); said == rows {
				require.NoError(t, err, "%.40q", csv)
			} else {
				require.ErrorIs(t, err, archive.ErrChecksum, "%.40q", csv)
			}
		}
	}
}
