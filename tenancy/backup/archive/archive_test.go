package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestAnArchiveIsReadAsWritten(t *testing.T) {
	t.Parallel()
	want := students()
	packed := pack(t, want, content, archive.WriterOptions{})
	for name, src := range map[string]io.Reader{
		"at once": bytes.NewReader(packed), "byte by byte": iotest.OneByteReader(bytes.NewReader(packed)),
		"with the end in the data": iotest.DataErrReader(bytes.NewReader(packed)),
	} {
		r, got, err := unpack(src, archive.ReaderOptions{})
		require.NoError(t, err)
		want.Version, want.PartSize = 1, archive.DefaultPartSize
		assert.Equal(t, content, got, name)
		assert.Equal(t, want, r.Header(), name)
		sum := sha256.Sum256([]byte(content["students"]))
		first := r.Manifest().Tables[0]
		assert.EqualValues(t, 2, first.Rows, name)
		assert.EqualValues(t, 1, first.Parts, name)
		assert.EqualValues(t, 28, first.Bytes, name)
		assert.Equal(t, hex.EncodeToString(sum[:]), first.SHA256, name)
		assert.EqualValues(t, 2, r.Manifest().Rows(), name)
		assert.Nil(t, r.SignedBy(), "signed by %x", r.SignedBy())
	}
}

func TestALargeTableIsCutIntoParts(t *testing.T) {
	t.Parallel()
	h := students()
	for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 10 * 64 << 10, 1 << 20} {
		text := rows(100_000)[:size]
		packed := pack(t, h, map[string]string{"students": text, "Odd / name": "x\n"},
			archive.WriterOptions{PartSize: 64 << 10, Workers: 3})
		r, got, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{})
		require.NoError(t, err)
		assert.Equal(t, text, got["students"], "%d bytes: got %d others", size, len(got["students"]))
		sum, _ := r.Manifest().Table("students")
		want := (size + 64<<10 - 1) / (64 << 10)
		assert.Equal(t, want, sum.Parts, "%d bytes: %+v, want %d parts", size, sum, want)
		assert.Equal(t, int64(size), sum.Bytes, "%d bytes: %+v, want %d parts", size, sum, want)
	}
}

func TestTablesNeedNotBeRead(t *testing.T) {
	t.Parallel()
	packed := pack(t, students(), map[string]string{"students": rows(50_000), "Odd / name": "x\n1\n"},
		archive.WriterOptions{PartSize: 64 << 10})
	r, err := archive.NewReader(bytes.NewReader(packed), archive.ReaderOptions{})
	require.NoError(t, err)
	defer r.Close()
	first, err := r.Next()
	require.NoError(t, err)
	_, err = io.ReadFull(first, make([]byte, 100_000))
	require.NoError(t, err)
	second, err := r.Next()
	require.NoError(t, err)
	var rest strings.Builder
	_, err = io.Copy(&rest, second)
	require.NoError(t, err)
	assert.Equal(t, "x\n1\n", rest.String())
	_, err = first.Read(make([]byte, 1))
	assert.ErrorIs(t, err, archive.ErrOrder)
	for range 2 {
		_, err = r.Next()
		assert.ErrorIs(t, err, io.EOF)
	}
	assert.Equal(t, int64(50_001), r.Manifest().Rows(), "manifest: %d rows", r.Manifest().Rows())
}

func TestAnArchiveWithoutTables(t *testing.T) {
	t.Parallel()
	h := students()
	h.Tables = nil
	_, got, err := unpack(bytes.NewReader(pack(t, h, nil, archive.WriterOptions{})), archive.ReaderOptions{})
	require.NoError(t, err)
	assert.Empty(t, got)
}
