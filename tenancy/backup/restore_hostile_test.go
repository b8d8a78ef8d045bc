package backup_test

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// forged is an archive of which everything can be changed, with a matching manifest.
type forged struct {
	header archive.Header
	tables map[string]string
	rows   map[string]int64 // the numbers in the manifest; default: those of the original
	opts   archive.WriterOptions
}

func forge(t *testing.T, original []byte, change func(f *forged)) []byte {
	t.Helper()
	r, err := archive.NewReader(bytes.NewReader(original), archive.ReaderOptions{})
	require.NoError(t, err)
	defer r.Close()
	f := &forged{header: r.Header(), tables: map[string]string{}, rows: map[string]int64{}}
	for {
		table, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		text, err := io.ReadAll(table)
		require.NoError(t, err)
		f.tables[table.Name] = string(text)
	}
	for _, sum := range r.Manifest().Tables {
		f.rows[sum.Name] = sum.Rows
	}
	change(f)
	var out bytes.Buffer
	w, err := archive.NewWriter(&out, f.header, f.opts)
	require.NoError(t, err)
	defer w.Abort()
	for _, table := range f.header.Tables {
		tw, err := w.Table(table.Name)
		require.NoError(t, err)
		_, err = io.WriteString(tw, f.tables[table.Name])
		require.NoError(t, err)
		require.NoError(t, tw.Close(f.rows[table.Name]))
	}
	_, err = w.Close()
	require.NoError(t, err)
	return out.Bytes()
}

// table returns a table of the header, to be changed.
func (f *forged) table(name string) *archive.Table {
	for i := range f.header.Tables {
		if f.header.Tables[i].Name == name {
			return &f.header.Tables[i]
		}
	}
	panic(name)
}

// rename changes only the name of a table.
func (f *forged) rename(name, to string) {
	f.table(name).Name = to
	f.tables[to], f.rows[to] = f.tables[name], f.rows[name]
}

// stray returns a tar stream of one entry.
func stray(t *testing.T, h tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	h.Format = tar.FormatPAX
	require.NoError(t, w.WriteHeader(&h))
	require.NoError(t, w.Close())
	return out.Bytes()
}

const injection = `notes"; drop schema public cascade; --`

// hostile returns malicious archives, each with the errors of which one must refuse it.
func hostile(t *testing.T, original, other []byte) map[string]struct {
	archive []byte
	want    []error
} {
	t.Helper()
	_, otherKey, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	with := func(change func(f *forged)) []byte { return forge(t, original, change) }
	text := func(table, from, to string) []byte {
		return with(func(f *forged) {
			assert.Contains(t, f.tables[table], from, "%s has no", table)
			f.tables[table] = strings.Replace(f.tables[table], from, to, 1)
		})
	}
	flipped := bytes.Clone(original)
	flipped[len(flipped)/2] ^= 1
	mismatch, rows, content := []error{backup.ErrMismatch}, []error{backup.ErrRows}, []error{backup.ErrContent}
	type c = struct {
		archive []byte
		want    []error
	}
	return map[string]c{
		"cut off in a table":      {original[:len(original)/2], []error{archive.ErrTruncated}},
		"cut off in the manifest": {original[:len(original)-1600], []error{archive.ErrTruncated}},
		"cut off in the header":   {original[:700], []error{archive.ErrTruncated}},
		"empty":                   {nil, []error{archive.ErrTruncated}},
		"a flipped bit":           {flipped, nil},
		"no archive at all":       {[]byte(strings.Repeat("drop table notes;\n", 100)), nil},
		"a path out of it":        {stray(t, tar.Header{Name: "../../etc/passwd", Typeflag: tar.TypeReg}), nil},
		"a link": {stray(t, tar.Header{
			Name: "header.json", Typeflag: tar.TypeSymlink,
			Linkname: "/etc/passwd",
		}), nil},
		"encrypted for another key": {
			with(func(f *forged) { f.opts.Recipients = []age.Recipient{identity.Recipient()} }),
			[]error{archive.ErrEncrypted},
		},
		"another tenant": {other, []error{backup.ErrOtherTenant}},
		"another tenant of the id": {with(func(f *forged) {
			f.header.Tenant.CreatedAt = f.header.Tenant.CreatedAt.Add(
				1e9)
		}), []error{backup.ErrOtherTenant}},
		"a statement as a table": {with(func(f *forged) { f.rename("notes", injection) }), mismatch},
		"a statement as a column": {with(func(f *forged) {
			f.table(
				"notes").Columns[1].Name = `body") from program 'id'; --`
		}), mismatch},
		"a statement as a type": {with(func(f *forged) {
			f.table(
				"notes").Columns[1].Type = `text; drop schema public`
		}), mismatch},
		"a statement as a sequence": {with(func(f *forged) {
			f.header.Sequences[0].Identity, f.header.Sequences[0].Name = false, `x'); drop schema public; --`
		}), mismatch},
		"a table in another schema": {with(func(f *forged) { f.rename("notes", "public.tenants") }), mismatch},
		"the version table": {with(func(f *forged) {
			f.header.Tables = append(f.header.Tables, archive.Table{
				Name:    "goose_db_version",
				Columns: []archive.Column{{Name: "id", Type: "integer"}},
			})
			f.tables["goose_db_version"] = "id\n99\n"
		}), mismatch},
		"a table too many": {with(func(f *forged) {
			f.header.Tables = append(f.header.Tables, archive.Table{
				Name:    "more",
				Columns: []archive.Column{{Name: "a", Type: "text"}},
			})
			f.tables["more"] = "a\n"
		}), mismatch},
		"a table too few": {with(func(f *forged) { f.header.Tables = f.header.Tables[:1] }), mismatch},
		"a column too many": {with(func(f *forged) {
			n := f.table("notes")
			n.Columns = append(n.Columns, archive.Column{Name: "x", Type: "text"})
		}), mismatch},
		"a column too few": {with(func(f *forged) { n := f.table("notes"); n.Columns = n.Columns[:1] }), mismatch},
		"another type":     {with(func(f *forged) { f.table("notes").Columns[0].Type = "integer" }), mismatch},
		"no identity":      {with(func(f *forged) { f.table("notes").Columns[0].Identity = "" }), mismatch},
		"partitioned":      {with(func(f *forged) { f.table("notes").Partitioned = true }), mismatch},
		"a sequence outside of the schema": {with(func(f *forged) {
			f.header.Sequences[0].Identity, f.header.Sequences[0].Name = false,
				"tenants_id_seq"
		}), mismatch},
		"a sequence too many": {with(func(f *forged) {
			f.header.Sequences = append(f.header.Sequences, archive.Sequence{Name: "public.tenants_id_seq"})
		}), mismatch},
		"a sequence of a column":  {with(func(f *forged) { f.header.Sequences[0].Table = "tenants" }), mismatch},
		"a sequence out of range": {with(func(f *forged) { f.header.Sequences[0].Last = -1 }), rows},
		"unknown migrations": {
			with(func(f *forged) { f.header.Migrations[0].Version = 77 }),
			[]error{backup.ErrVersions},
		},
		"edited migrations": {
			with(func(f *forged) { f.header.Migrations[0].Checksum = "0123456789abcdef" }),
			[]error{backup.ErrVersions},
		},
		"a checksum cut short": {
			with(func(f *forged) { f.header.Migrations[0].Checksum = f.header.Migrations[0].Checksum[:1] }),
			[]error{backup.ErrVersions},
		},
		"migrations of others": {
			with(func(f *forged) { f.header.Migrations[0].Source = "other" }),
			[]error{backup.ErrVersions},
		},
		"fewer migrations":           {with(func(f *forged) { f.header.Migrations = f.header.Migrations[:1] }), mismatch},
		"a value of another type":    {text("tags", "1,a", "one,a"), rows},
		"a row without its parent":   {text("tags", "1,a", "99,a"), rows},
		"a row twice":                {text("tags", "1,a\n", "1,b\n"), rows},
		"a row with too much":        {text("tags", "1,a\n", "1,a,b\n"), rows},
		"a row without an end":       {text("tags", "1,a\n", "1,\"a\n"), nil},
		"columns in another order":   {text("notes", "id,body", "body,id"), rows},
		"no line of columns":         {with(func(f *forged) { f.tables["notes"] = "\n" }), rows},
		"an endless line of columns": {with(func(f *forged) { f.tables["notes"] = strings.Repeat("x", 2<<20) }), rows},
		"bytes that are no text":     {text("notes", "first", "fir\xfft"), rows},
		"an end before the end":      {text("tags", "1,a\n", "\\.\n1,a\n"), []error{backup.ErrContent, backup.ErrRows}},
		"values written otherwise":   {text("tags", "1,a", "01,a"), content},
		"a row less than it says":    {text("tags", "1,a\n", ""), content},
		"rows that were not counted": {with(func(f *forged) { f.rows["notes"] = 1 }), content},
		"an SQL row":                 {text("notes", "first", "'); drop table tags; --"), nil},
		"signed with another key":    {with(func(f *forged) { f.opts.SigningKey = otherKey }), []error{archive.ErrSignature}},
	}
}

func TestHostileArchivesAreRefusedAndTheLiveTenantIsUntouched(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	plain := f.service(t, backup.Config{})
	var original, other bytes.Buffer
	_, err := plain.BackupTo(t.Context(), "north", &original, backup.BackupOptions{})
	require.NoError(t, err)
	f.create(t, "south")
	_, err = plain.BackupTo(t.Context(), "south", &other, backup.BackupOptions{})
	require.NoError(t, err)
	f.exec(t, tenant.Schema, "insert into notes (body) values ('since')")
	before, snapshot := f.content(t, "north"), f.everything(t)

	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	trusting := f.service(t, backup.Config{TrustedKeys: []ed25519.PublicKey{public}})
	for name, c := range hostile(t, original.Bytes(), other.Bytes()) {
		s := plain
		switch name {
		case "signed with another key":
			s = trusting
		case "an SQL row": // it is data: it is restored elsewhere as it is, and not executed
			got, err := s.RestoreFrom(t.Context(), bytes.NewReader(c.archive),
				backup.RestoreOptions{Slug: "sql", Domain: "sql.example.com"})
			require.NoError(t, err)
			assert.Contains(t, f.content(t, "sql")["notes"], "drop table tags", "the row differs")
			f.drop(t, got.Tenant.Slug)
			continue
		}
		opts := backup.RestoreOptions{Replace: "north"}
		switch name {
		case "edited migrations", "a checksum cut short", "migrations of others":
			opts.Edited = backup.EditedRefuse // the runner's policy Allow compares only the structure
		}
		_, err := s.RestoreFrom(t.Context(), bytes.NewReader(c.archive), opts)
		expectOne(t, name, err, c.want)
	}
	_, err = trusting.RestoreFrom(t.Context(), bytes.NewReader(original.Bytes()), backup.RestoreOptions{Replace: "north"})
	expectOne(t, "unsigned", err, []error{archive.ErrSignature})
	f.expectContent(t, "north", before)
	after := f.everything(t)
	assert.Equal(t, snapshot, after, "changed:\n%s\nbefore", after)

	// The same archives are refused for new tenants, too.
	for _, name := range []string{
		"a statement as a table", "a row without its parent", "cut off in the manifest",
		"values written otherwise",
	} {
		c := hostile(t, original.Bytes(), other.Bytes())[name]
		_, err := plain.RestoreFrom(t.Context(), bytes.NewReader(c.archive),
			backup.RestoreOptions{Slug: "new", Domain: "new.example.com"})
		expectOne(t, name, err, c.want)
	}
	after = f.everything(t)
	assert.Equal(t, snapshot, after, "changed:\n%s\nbefore", after)
}
