package backup_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// content is all that a tenant's backup would have: the CSV of each table, with its sequences.
func (f *fixture) content(t testing.TB, slug string) map[string]string {
	t.Helper()
	var archived bytes.Buffer
	_, err := f.service(t, backup.Config{}).BackupTo(t.Context(), slug, &archived, backup.BackupOptions{})
	check(t, err)
	return contentOf(t, archived.Bytes())
}

func contentOf(t testing.TB, archived []byte) map[string]string {
	t.Helper()
	r, err := archive.NewReader(bytes.NewReader(archived), archive.ReaderOptions{})
	check(t, err)
	defer r.Close()
	all := make(map[string]string)
	for {
		table, err := r.Next()
		if err != nil {
			break
		}
		var text bytes.Buffer
		_, err = table.WriteTo(&text)
		check(t, err)
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

// expectContent compares what a tenant has with what was noted.
func (f *fixture) expectContent(t testing.TB, slug string, want map[string]string) {
	t.Helper()
	got := f.content(t, slug)
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s of %s:\n%.500q\nwant\n%.500q", name, slug, got[name], want[name])
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("%s has %q", slug, slices.Sorted(maps.Keys(got)))
	}
}

func (f *fixture) structure(t testing.TB, schema string) string {
	t.Helper()
	for s, err := range drift.Read(t.Context(), f.owner, drift.ReadOptions{Roles: f.roles}, schema) {
		check(t, err)
		return s.Hash()
	}
	return ""
}

func (f *fixture) expectNoSides(t testing.TB) {
	t.Helper()
	all, err := f.tenants.SideSchemas(t.Context())
	check(t, err)
	for _, s := range all {
		if !s.Used {
			t.Errorf("left %+v", s)
		}
	}
}

func (f *fixture) drop(t testing.TB, slug string) {
	t.Helper()
	r, err := f.tenants.RequestDrop(t.Context(), slug, "ada")
	check(t, err)
	_, err = f.tenants.Drop(t.Context(), tenancy.DropParams{Slug: slug, Token: r.Token, Actor: "ada"})
	check(t, err)
}

const someNotes = `insert into notes (body) values ('first'), (E'sec\nond'), (''), (null), ('"'), ('\.'), (E'\\N'), ('ä,"b"');
	insert into tags values (1, 'a'), (1, 'b'), (2, '')`

func TestADroppedTenantIsRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	was := f.create(t, "north")
	_, err := f.tenants.AddDomain(t.Context(), "north", "alias.example.com")
	check(t, err)
	f.exec(t, was.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	want, structure := f.content(t, "north"), f.structure(t, was.Schema)
	f.drop(t, "north")

	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{})
	check(t, err)
	if got.Tenant.ID == was.ID || got.Tenant.Slug != "north" || got.Tenant.Status != tenancy.Active || got.Rows != 11 || got.Retained != "" {
		t.Errorf("restored %+v", got)
	}
	f.expectContent(t, "north", want)
	if f.structure(t, got.Tenant.Schema) != structure {
		t.Error("the structure is another")
	}
	for _, host := range []string{"north.example.com", "alias.example.com"} {
		found, err := f.tenants.ByHost(t.Context(), host)
		check(t, err)
		if found.ID != got.Tenant.ID {
			t.Errorf("%s is of %q", host, found.Slug)
		}
	}
	f.use(t, got.Tenant)
	f.expectNoSides(t)
}

// use writes and reads as the tenant does.
func (f *fixture) use(t testing.TB, tenant tenancy.Tenant) {
	t.Helper()
	db, err := schemactx.New(f.runtime(t), schemactx.Config{Roles: f.roles})
	check(t, err)
	var id int64
	check(t, db.QueryRow(tenancy.NewContext(t.Context(), &tenant), "insert into notes (body) values ('used') returning id").Scan(&id))
	if id != 9 {
		t.Errorf("the next note is %d", id)
	}
}

func TestALiveTenantIsReplacedAndTheReplacementRevertedOrConfirmed(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	was := f.create(t, "north")
	f.exec(t, was.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)
	backedUp := f.content(t, "north")
	f.exec(t, was.Schema, "delete from tags; update notes set body = 'oh no'")
	spoilt := f.content(t, "north")

	got, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	check(t, err)
	if got.Tenant.ID != was.ID || got.Tenant.Status != tenancy.Active || got.Retained != was.Schema || got.Tenant.Schema == was.Schema {
		t.Errorf("restored %+v", got)
	}
	f.expectContent(t, "north", backedUp)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	expectIs(t, err, tenancy.ErrReplaced)
	back, err := s.RevertRestore(t.Context(), "north", got.Retained)
	check(t, err)
	f.expectContent(t, "north", spoilt)
	_, err = s.RevertRestore(t.Context(), "north", got.Tenant.Schema)
	check(t, err)
	f.expectContent(t, "north", backedUp)
	_, err = f.confirmed(t, s, "north", back.Schema)
	check(t, err)
	f.expectContent(t, "north", backedUp)
	var there bool
	check(t, f.pg.Pool.QueryRow(t.Context(), "select to_regnamespace($1) is not null", was.Schema).Scan(&there))
	if there {
		t.Error("the old schema is still there")
	}
	f.expectNoSides(t)
}
