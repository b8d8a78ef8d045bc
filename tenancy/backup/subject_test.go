package backup_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// people returns a fixture with two tenants in which ada has rows, and a scoped handle.
func people(t *testing.T) (*fixture, *schemactx.DB, tenancy.Tenant) {
	t.Helper()
	f := setup(t, notes)
	north, south := f.create(t, "north"), f.create(t, "south")
	for _, tenant := range []tenancy.Tenant{north, south} {
		f.exec(t, tenant.Schema, `insert into notes (body) values ('ada'), ('bob'), ('ada'); insert into tags values (1, '`+
			tenant.Slug+`'), (2, 'bob')`)
	}
	db, err := schemactx.New(f.runtime(t), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	return f, db, north
}

func exporter(t *testing.T, db *schemactx.DB, format backup.SubjectFormat,
	queries ...backup.SubjectQuery,
) *backup.SubjectExporter {
	t.Helper()
	x, err := backup.NewSubjectExporter(db, backup.SubjectConfig{Queries: queries, Format: format})
	require.NoError(t, err)
	return x
}

// unzip returns the files, and checks them against the manifest.
func unzip(t *testing.T, data []byte, m backup.SubjectManifest) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	files := make(map[string]string)
	for _, f := range r.File {
		entry, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(entry)
		require.NoError(t, err)
		files[f.Name] = string(text)
	}
	var stored backup.SubjectManifest
	require.NoError(t, json.Unmarshal([]byte(files["manifest.json"]), &stored))
	delete(files, "manifest.json")
	assert.Equal(t, "ada", stored.Subject, "manifest %+v, returned %+v", stored, m)
	assert.Equal(t, "north", stored.Tenant, "manifest %+v, returned %+v", stored, m)
	assert.Equal(t, m.Files, stored.Files, "manifest %+v, returned %+v", stored, m)
	assert.Len(t, files, len(m.Files), "manifest %+v, returned %+v", stored, m)
	for _, f := range m.Files {
		sum := sha256.Sum256([]byte(files[f.Name]))
		assert.Equal(t, f.SHA256, hex.EncodeToString(sum[:]), "%s is another file", f.Name)
	}
	return files
}

func TestASubjectExportContainsRowsOfOneTenant(t *testing.T) {
	t.Parallel()
	_, db, north := people(t)
	queries := []backup.SubjectQuery{
		{Name: "notes", SQL: "select id, body from notes where body = $1 order by id"},
		{Name: "tags", SQL: "select tag from tags join notes on id = note where body = $1"},
		{
			Name: "values",
			SQL: `select $1::text as who, 1.50::numeric as n, 'NaN'::numeric as nan, true as yes,
				null::text as nothing, '' as empty,
			'{"a": [1]}'::jsonb as doc, E'say "hi",\n' as text, date '2026-03-05' as day`,
		},
		{Name: "none", SQL: "select id from notes where body = $1 || 'x'"},
	}
	var zipped bytes.Buffer
	m, err := exporter(t, db, backup.SubjectCSV, queries...).Export(t.Context(), &north, "ada", &zipped)
	require.NoError(t, err)
	got, want := unzip(t, zipped.Bytes(), m), (map[string]string{
		"notes.csv": "\"id\",\"body\"\n\"1\",\"ada\"\n\"3\",\"ada\"\n", "tags.csv": "\"tag\"\n\"north\"\n",
		"values.csv": `"who","n","nan","yes","nothing","empty","doc","text","day"` + "\n" +
			`"ada","1.50","NaN","t",,"","{""a"": [1]}","say ""hi"",` + "\n" + `","2026-03-05"` + "\n",
		"none.csv": "\"id\"\n",
	})
	if assert.Equal(t, want, got) {
		assert.Equal(t, int64(4), m.Rows())
	}
	zipped.Reset()
	m, err = exporter(t, db, backup.SubjectJSON, queries...).Export(t.Context(), &north, "ada", &zipped)
	require.NoError(t, err)
	got, want = unzip(t, zipped.Bytes(), m), (map[string]string{
		"notes.json": "[\n{\"id\":1,\"body\":\"ada\"},\n{\"id\":3,\"body\":\"ada\"}\n]\n",
		"tags.json":  "[\n{\"tag\":\"north\"}\n]\n",
		"values.json": "[\n" + `{"who":"ada","n":1.50,"nan":"NaN","yes":true,"nothing":null,"empty":"",` +
			`"doc":{"a": [1]},"text":"say \"hi\",\n","day":"2026-03-05"}` + "\n]\n",
		"none.json": "[\n]\n",
	})
	assert.Equal(t, want, got)
}

func TestASubjectExportCannotWriteOrLeaveItsTenant(t *testing.T) {
	t.Parallel()
	f, db, north := people(t)
	for name, sql := range map[string]string{
		"writes":       "delete from notes where body = $1 returning id",
		"another's":    "select * from tenant_2.notes where body = $1",
		"two":          "select $1::text; select 1",
		"not there":    "select * from nothing where x = $1",
		"fails midway": "select 1 / (3 - id) from notes where body = $1 order by id",
	} {
		var zipped bytes.Buffer
		_, err := exporter(t, db, backup.SubjectCSV, backup.SubjectQuery{Name: "q", SQL: sql}).Export(t.Context(), &north,
			"ada", &zipped)
		var failed *backup.SubjectError
		if assert.ErrorAs(t, err, &failed, name) && assert.Equal(t, "q", failed.Query, name) {
			assert.NotContains(t, err.Error(), "ada", name)
		}
		_, err = zip.NewReader(bytes.NewReader(zipped.Bytes()), int64(zipped.Len()))
		assert.Error(t, err, "%s: a partial file looks complete", name)
	}
	got := content(t, f.pg, north.Schema)
	assert.Equal(t, 2, strings.Count(got, "ada"), "left %q", got)
}

func TestInvalidSubjectExportsAreRefused(t *testing.T) {
	t.Parallel()
	_, db, north := people(t)
	good := backup.SubjectQuery{Name: "a", SQL: "select $1::text"}
	for name, cfg := range map[string]backup.SubjectConfig{
		"none": {}, "format": {Queries: []backup.SubjectQuery{good}, Format: 7},
		"twice":     {Queries: []backup.SubjectQuery{good, good}},
		"path":      {Queries: []backup.SubjectQuery{{Name: "../a", SQL: "select $1"}}},
		"manifest":  {Queries: []backup.SubjectQuery{{Name: "manifest", SQL: "select $1"}}},
		"everybody": {Queries: []backup.SubjectQuery{{Name: "a", SQL: "select * from notes"}}},
	} {
		_, err := backup.NewSubjectExporter(db, cfg)
		assert.Error(t, err, "%s was accepted", name)
	}
	for _, subject := range []string{"", strings.Repeat("a", 1001), "a\x00", "a\xff"} {
		var zipped bytes.Buffer
		_, err := exporter(t, db, backup.SubjectCSV, good).Export(t.Context(), &north, subject, &zipped)
		assert.ErrorIs(t, err, backup.ErrInvalidSubject)
		assert.LessOrEqual(t, zipped.Len(), 0, "something was written")
	}
}
