package archive_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// entry is an entry of a tar stream.
type entry struct {
	head tar.Header
	body string
}

// entries returns the entries of an archive.
func entries(t testing.TB, packed []byte) []entry {
	t.Helper()
	var all []entry
	r := tar.NewReader(bytes.NewReader(packed))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		h.Format = tar.FormatPAX
		all = append(all, entry{*h, string(body)})
	}
}

// repack writes entries to a tar stream without checks.
func repack(t testing.TB, all []entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range all {
		e.head.Size = int64(len(e.body))
		if e.head.Typeflag != tar.TypeReg {
			e.head.Size, e.body = 0, ""
		}
		require.NoError(t, w.WriteHeader(&e.head))
		_, err := io.WriteString(w, e.body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// frame compresses content as a part of an archive.
func frame(t testing.TB, content string) string {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithSingleSegment(true))
	require.NoError(t, err)
	return string(encoder.EncodeAll([]byte(content), nil))
}

// file returns an entry of a regular file.
func file(name, body string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Format: tar.FormatPAX}, body}
}

const (
	firstPart  = "tables/students/000001.csv.zst"
	secondPart = "tables/%4Fdd%20%2F%20name/000001.csv.zst"
)

// The indexes of the entries that the tests alter.
const (
	atHeader = iota
	atFirst
	atSecond
	atManifest
)

func TestInvalidEntriesAreRefused(t *testing.T) {
	t.Parallel()
	packed := pack(t, students(), content, archive.WriterOptions{})
	for name, test := range map[string]struct {
		alter         func(all []entry) []entry
		entry, reason string
	}{
		"a link": {func(all []entry) []entry {
			all[atFirst].head.Typeflag, all[atFirst].head.Linkname = tar.TypeSymlink, "/etc/passwd"
			return all
		}, firstPart, "is not a regular file"},
		"a hard link": {func(all []entry) []entry {
			all[atFirst].head.Typeflag, all[atFirst].head.Linkname = tar.TypeLink, "header.json"
			return all
		}, firstPart, "is not a regular file"},
		"a device": {func(all []entry) []entry {
			all[atFirst].head.Typeflag, all[atFirst].head.Devmajor = tar.TypeChar, 1
			return all
		}, firstPart, "is not a regular file"},
		"a directory": {func(all []entry) []entry {
			return slices.Insert(all, atFirst, entry{head: tar.Header{
				Typeflag: tar.TypeDir, Name: "tables/",
				Format: tar.FormatPAX,
			}})
		}, "tables/", "is not a regular file"},
		"a global header": {func(all []entry) []entry {
			return slices.Insert(all, 0, entry{head: tar.Header{
				Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"comment": "x"}, Format: tar.FormatPAX,
			}})
		}, "g", "is not a regular file"},
		"an attribute": {func(all []entry) []entry {
			all[atFirst].head.PAXRecords = map[string]string{"SCHILY.xattr.user.x": "y"}
			return all
		}, firstPart, "has the attribute"},
		"a format with sparse files": {func(all []entry) []entry {
			all[atFirst].head.Format = tar.FormatGNU
			return all
		}, firstPart, "is not in the PAX format"},
		"a path out": {func(all []entry) []entry {
			all[atFirst].head.Name = "../students/000001.csv.zst"
			return all
		}, "../students/000001.csv.zst", "is in the place of"},
		"an absolute path": {func(all []entry) []entry {
			all[atFirst].head.Name = "/" + firstPart
			return all
		}, "/" + firstPart, "is in the place of"},
		"no header": {func(all []entry) []entry { return all[1:] }, firstPart, "is in the place of \"header.json\""},
		"another first": {
			func(all []entry) []entry { return slices.Insert(all, 0, file("x", "")) }, "x",
			"is in the place of",
		},
		"another file": {
			func(all []entry) []entry { return slices.Insert(all, atFirst, file("x.sql", "drop table x")) },
			"x.sql", "is in the place of",
		},
		"another header": {
			func(all []entry) []entry { return slices.Insert(all, 1, all[0]) }, "header.json",
			"is in the place of",
		},
		"a missing table": {func(all []entry) []entry {
			return slices.Delete(all, atFirst, atFirst+1)
		}, secondPart, "is in the place of"},
		"tables in another order": {func(all []entry) []entry {
			all[atFirst], all[atSecond] = all[atSecond], all[atFirst]
			return all
		}, secondPart, "is in the place of"},
		"a table twice": {
			func(all []entry) []entry { return slices.Insert(all, atSecond, all[atFirst]) }, firstPart,
			"is in the place of",
		},
		"a part left out": {func(all []entry) []entry {
			all[atFirst].head.Name = "tables/students/000002.csv.zst"
			return all
		}, "tables/students/000002.csv.zst", "is in the place of"},
		"a part behind one that is not full": {func(all []entry) []entry {
			return slices.Insert(all, atSecond, file("tables/students/000002.csv.zst", all[atFirst].body))
		}, "tables/students/000002.csv.zst", "not full"},
		"two manifests": {
			func(all []entry) []entry { return append(all, all[atManifest]) }, "manifest.json",
			"follows the end of the archive",
		},
		"something at the end": {
			func(all []entry) []entry { return append(all, file("run.sh", "")) }, "run.sh",
			"follows the end of the archive",
		},
		"two signatures": {func(all []entry) []entry {
			_, key := newKey(t)
			signed := entries(t, pack(t, students(), content, archive.WriterOptions{SigningKey: key}))
			return append(signed, signed[len(signed)-1])
		}, "manifest.sig", "follows the end of the archive"},
		"no zstd": {
			func(all []entry) []entry { all[atFirst].body = "id,name\n"; return all }, firstPart,
			"is not a zstd frame",
		},
		"empty part": {func(all []entry) []entry { all[atFirst].body = ""; return all }, firstPart, "is not a zstd frame"},
		"two frames": {func(all []entry) []entry {
			all[atFirst].body += all[atFirst].body
			return all
		}, firstPart, ""},
		"a frame that something follows": {func(all []entry) []entry {
			all[atFirst].body += "garbage"
			return all
		}, firstPart, "cannot be decompressed"},
		"a frame too large": {func(all []entry) []entry {
			all[atFirst].body = frame(t, strings.Repeat("x", 2<<20))
			return all
		}, firstPart, "is not a zstd frame of 1 to"},
		"an empty frame": {func(all []entry) []entry {
			all[atFirst].body = frame(t, "")
			return all
		}, firstPart, "is not a zstd frame"},
		"a skippable frame": {func(all []entry) []entry {
			all[atFirst].body = "\x50\x2a\x4d\x18\x00\x00\x00\x00"
			return all
		}, firstPart, "is not a zstd frame"},
		"other rows": {func(all []entry) []entry {
			all[atFirst].body = frame(t, "id,name\n1,Mallory\n")
			return all
		}, "tables/students", "was altered"},
		"a large entry": {func(all []entry) []entry {
			all[atFirst].body = strings.Repeat("x", 2<<20)
			return all
		}, firstPart, "over the limit"},
	} {
		_, _, err := unpack(bytes.NewReader(repack(t, test.alter(entries(t, packed)))), archive.ReaderOptions{})
		t.Run(name, func(t *testing.T) { expectFormat(t, err, test.entry, test.reason) })
	}
}

func TestAnInvalidEndIsRefused(t *testing.T) {
	t.Parallel()
	packed := pack(t, students(), content, archive.WriterOptions{})
	_, _, err := unpack(bytes.NewReader(append(bytes.Clone(packed), make([]byte, 10<<10)...)), archive.ReaderOptions{})
	require.NoError(t, err) // other programs pad archives like this
	for _, more := range []string{
		"x", strings.Repeat("\x00", 1024) + "x", strings.Repeat("\x00", 65<<10),
		string(packed),
	} {
		_, _, err := unpack(strings.NewReader(string(packed)+more), archive.ReaderOptions{})
		expectFormat(t, err, "", "data after its end")
	}
	without := entries(t, packed)
	_, _, err = unpack(bytes.NewReader(repack(t, without[:atManifest])), archive.ReaderOptions{})
	assert.ErrorIs(t, err, archive.ErrTruncated)
}

// alteredHeader returns an archive whose header has a part of its text replaced.
func alteredHeader(t testing.TB, old, replacement string) []byte {
	t.Helper()
	all := entries(t, pack(t, students(), content, archive.WriterOptions{}))
	require.Contains(t, all[atHeader].body, old, "no %q in %s", old, all[atHeader].body)
	all[atHeader].body = strings.Replace(all[atHeader].body, old, replacement, 1)
	return repack(t, all)
}

func TestAnInvalidHeaderIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, replacement, reason string }{
		{"{", "", "is not readable"},
		{"{", "[", "is not readable"},
		{`"schema"`, `"sql": "drop schema public", "schema"`, "is not readable"},
		{`"partSize": 1048576`, `"partSize": 1`, "part size"},
		{`"partSize": 1048576`, `"partSize": 99999999999`, "part size"},
		{`"partSize": 1048576`, `"partSize": -1`, "part size"},
		{`"Odd / name"`, `"students"`, `name "students" occurs twice`},
		{`"Odd / name"`, `""`, "is not 1 to 63 bytes"},
		{`"Odd / name"`, `"a\u0000b"`, "is not 1 to 63 bytes"},
		{`"Odd / name"`, `"` + strings.Repeat("a", 64) + `"`, "is not 1 to 63 bytes"},
		{`"students_id_seq"`, `"students"`, "occurs twice"},
		{`"name": "id"`, `"name": "name"`, "occurs twice"},
		{`"stored"`, `"by magic"`, "of generated columns"},
		{`"always"`, `"never"`, "of identity columns"},
		{`"largeObjects": "none"`, `"largeObjects": "all"`, "large objects"},
		{`"encoding": "UTF8"`, `"encoding": "SQL_ASCII"`, "is not UTF8"},
		{`"takenAt": "2026`, `"takenAt": "x2026`, "is not readable"},
	} {
		_, _, err := unpack(bytes.NewReader(alteredHeader(t, test.old, test.replacement)), archive.ReaderOptions{})
		expectFormat(t, err, "header.json", test.reason)
	}
	_, _, err := unpack(bytes.NewReader(alteredHeader(t, `"version": 1`, `"version": 3`)), archive.ReaderOptions{})
	assert.ErrorIs(t, err, archive.ErrVersion)
	_, _, err = unpack(bytes.NewReader(alteredHeader(t, `"slug": "north"`, `"slug": "south"`)), archive.ReaderOptions{})
	expectFormat(t, err, "header.json", "was altered")
	assert.ErrorIs(t, err, archive.ErrChecksum)
}

func TestAWrongManifestIsRefused(t *testing.T) {
	t.Parallel()
	original := entries(t, pack(t, students(), content, archive.WriterOptions{}))
	for _, alter := range []func(m *archive.Manifest){
		func(m *archive.Manifest) { m.HeaderSHA256 = "" },
		func(m *archive.Manifest) { m.Tables = m.Tables[:1] },
		func(m *archive.Manifest) { m.Tables = append(m.Tables, m.Tables[0]) },
		func(m *archive.Manifest) { m.Tables[0].SHA256 = m.Tables[1].SHA256 },
		func(m *archive.Manifest) { m.Tables[0].Bytes++ },
		func(m *archive.Manifest) { m.Tables[0].Stored-- },
		func(m *archive.Manifest) { m.Tables[0].Parts = 2 },
		func(m *archive.Manifest) { m.Tables[0].Name = "teachers" },
		func(m *archive.Manifest) { m.Tables[0].Rows = -1 },
	} {
		var m archive.Manifest
		require.NoError(t, json.Unmarshal([]byte(original[atManifest].body), &m))
		alter(&m)
		text, err := json.Marshal(m)
		require.NoError(t, err)
		all := slices.Clone(original)
		all[atManifest].body = string(text)
		_, _, err = unpack(bytes.NewReader(repack(t, all)), archive.ReaderOptions{})
		assert.ErrorIs(t, err, archive.ErrChecksum)
	}
	for _, text := range []string{"", "null x", `{"version": 1, "more": 2}`, "[]"} {
		all := slices.Clone(original)
		all[atManifest].body = text
		_, _, err := unpack(bytes.NewReader(repack(t, all)), archive.ReaderOptions{})
		expectFormat(t, err, "manifest.json", "is not readable")
	}
	all := slices.Clone(original)
	all[atManifest].body = strings.Replace(all[atManifest].body, `"version": 1`, `"version": 7`, 1)
	_, _, err := unpack(bytes.NewReader(repack(t, all)), archive.ReaderOptions{})
	assert.ErrorIs(t, err, archive.ErrVersion)
}

func TestEntriesOverALimitAreRefused(t *testing.T) {
	t.Parallel()
	packed := pack(t, students(), map[string]string{"students": rows(20_000), "Odd / name": "x\n"},
		archive.WriterOptions{PartSize: 64 << 10})
	for _, limits := range []archive.Limits{
		{HeaderBytes: 100}, {Tables: 1}, {Columns: 2}, {TableBytes: 100_000}, {TotalBytes: 100_000},
	} {
		_, _, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{Limits: limits})
		assert.ErrorIs(t, err, archive.ErrLimit)
	}
	_, err := archive.NewReader(bytes.NewReader(packed), archive.ReaderOptions{Limits: archive.Limits{Tables: -1}})
	assert.ErrorContains(t, err, "negative")
}

// For an entry that claims a large size, the reader must not allocate memory before the bytes
// arrive.
func TestAFalseSizeAllocatesNoMemory(t *testing.T) {
	var buf bytes.Buffer
	require.NoError(t,
		tar.NewWriter(&buf).WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: "header.json", Size: 32 << 20,
			Format: tar.FormatPAX,
		}))
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			_, err := archive.NewReader(bytes.NewReader(buf.Bytes()), archive.ReaderOptions{})
			assert.ErrorIs(b, err, archive.ErrTruncated)
		}
	})
	assert.LessOrEqual(t, result.AllocedBytesPerOp(), int64(1<<20), "bytes were allocated")
}
