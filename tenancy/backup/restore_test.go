package backup_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// content returns all that a tenant's backup would contain: the CSV of each table, with its
// sequences.
func (f *fixture) content(t testing.TB, slug string) map[string]string {
	t.Helper()
	var archived bytes.Buffer
	_, err := f.service(t, backup.Config{}).BackupTo(t.Context(), slug, &archived, backup.BackupOptions{})
	require.NoError(t, err)
	return contentOf(t, archived.Bytes())
}

func contentOf(t testing.TB, archived []byte) map[string]string {
	t.Helper()
	r, err := archive.NewReader(bytes.NewReader(archived), archive.ReaderOptions{})
	require.NoError(t, err)
	defer r.Close()
	all := make(map[string]string)
	for {
		table, err := r.Next()
		if err != nil {
			break
		}
		var text bytes.Buffer
		_, err = table.WriteTo(&text)
		require.NoError(t, err)
		all[table.Name] = text.String()
		if table.Partitioned { // the order of their rows is not kept
			lines := bytes.Split(text.Bytes(), []byte("\n"))
			slices.SortFunc(lines, bytes.Compare)
			all[table.Name] = string(bytes.Join(lines, []byte("\n")))
		}
	}
	for _, s := range r.Header().Sequences {
		key := s.Name
		if s.Identity {
			key = s.Table + "." + s.Column
		}
		all["sequence "+key] = formatSequence(s)
	}
	return all
}

// expectContent compares the content of a tenant with want.
func (f *fixture) expectContent(t testing.TB, slug string, want map[string]string) {
	t.Helper()
	got := f.content(t, slug)
	for name := range want {
		assert.Equal(t, want[name], got[name], "%s of %s:\n%.500q\nwant", name, slug, got[name])
	}
	assert.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), "%s has", slug)
}

func (f *fixture) structure(t testing.TB, schema string) string {
	t.Helper()
	for s, err := range drift.Read(t.Context(), f.owner, drift.ReadOptions{Roles: f.roles}, schema) {
		require.NoError(t, err)
		return s.Hash()
	}
	return ""
}

func (f *fixture) expectNoSides(t testing.TB) {
	t.Helper()
	all, err := f.tenants.AuxiliarySchemas(t.Context())
	require.NoError(t, err)
	for _, s := range all {
		assert.True(t, s.Retained, "left %+v", s)
	}
}

func (f *fixture) drop(t testing.TB, slug string) {
	t.Helper()
	r, err := f.tenants.RequestDrop(t.Context(), slug, "ada")
	require.NoError(t, err)
	_, err = f.tenants.Drop(t.Context(), tenancy.DropParams{Slug: slug, Token: r.Token, Actor: "ada"})
	require.NoError(t, err)
}

const someNotes = `insert into notes (body) values ('first'), (E'sec\nond'), (''), (null),
	('"'), ('\.'), (E'\\N'), ('ä,"b"');
	insert into tags values (1, 'a'), (1, 'b'), (2, '')`

func TestADroppedTenantIsRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	was := f.create(t, "north")
	_, err := f.tenants.AddDomain(t.Context(), "north", "alias.example.com")
	require.NoError(t, err)
	f.exec(t, was.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	want, structure := f.content(t, "north"), f.structure(t, was.Schema)
	f.drop(t, "north")

	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	assert.NotEqual(t, was.ID, got.Tenant.ID, "restored %+v", got)
	assert.Equal(t, "north", got.Tenant.Slug, "restored %+v", got)
	assert.Equal(t, tenancy.Active, got.Tenant.Status, "restored %+v", got)
	assert.Equal(t, int64(11), got.Rows, "restored %+v", got)
	assert.Empty(t, got.Retained, "restored %+v", got)
	f.expectContent(t, "north", want)
	assert.Equal(t, structure, f.structure(t, got.Tenant.Schema), "the structure differs")
	for _, host := range []string{"north.example.com", "alias.example.com"} {
		found, err := f.tenants.ByHost(t.Context(), host)
		require.NoError(t, err)
		assert.Equal(t, got.Tenant.ID, found.ID, "%s is of %q", host, found.Slug)
	}
	f.use(t, got.Tenant)
	f.expectNoSides(t)
}

// use writes and reads with the tenant's role.
func (f *fixture) use(t testing.TB, tenant tenancy.Tenant) {
	t.Helper()
	db, err := schemactx.New(f.runtime(t), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	var id int64
	require.NoError(t,
		db.QueryRow(tenancy.NewContext(t.Context(), &tenant), "insert into notes (body) values ('used') returning id").Scan(
			&id))
	assert.Equal(t, int64(9), id, "the next note")
}

func TestALiveTenantIsReplacedAndTheReplacementRevertedOrConfirmed(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	was := f.create(t, "north")
	f.exec(t, was.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	backedUp := f.content(t, "north")
	f.exec(t, was.Schema, "delete from tags; update notes set body = 'oh no'")
	spoilt := f.content(t, "north")

	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	assert.Equal(t, was.ID, got.Tenant.ID, "restored %+v", got)
	assert.Equal(t, tenancy.Active, got.Tenant.Status, "restored %+v", got)
	assert.Equal(t, was.Schema, got.Retained, "restored %+v", got)
	assert.NotEqual(t, was.Schema, got.Tenant.Schema, "restored %+v", got)
	f.expectContent(t, "north", backedUp)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	assert.ErrorIs(t, err, tenancy.ErrReplaced)
	back, err := s.RevertRestore(t.Context(), "north", got.Retained)
	require.NoError(t, err)
	f.expectContent(t, "north", spoilt)
	_, err = s.RevertRestore(t.Context(), "north", got.Tenant.Schema)
	require.NoError(t, err)
	f.expectContent(t, "north", backedUp)
	_, err = f.confirmed(t, s, "north", back.Schema)
	require.NoError(t, err)
	f.expectContent(t, "north", backedUp)
	var there bool
	require.NoError(t,
		f.pg.Pool.QueryRow(t.Context(), "select to_regnamespace($1) is not null", was.Schema).Scan(&there))
	assert.False(t, there, "the old schema still exists")
	f.expectNoSides(t)
}
