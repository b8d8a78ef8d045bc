package backup_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// readings are partitioned tables, one without any partition and one with a default partition.
var readings = migrate.Source{Name: "readings", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table readings (at timestamptz not null, sensor int not null, value int, primary key (at, sensor))
	partition by range (at);
create table logs (kind text, body text) partition by list (kind);
create table logs_rest partition of logs default;
create index on readings (value);
`)}}}

const moreReadings = `create table readings_2030
		partition of readings for values from ('2030-01-01') to ('2031-01-01') partition by hash (sensor);
	create table readings_2030_0 partition of readings_2030 for values with (modulus 2, remainder 0);
	create table readings_2030_1 partition of readings_2030 for values with (modulus 2, remainder 1);
	create table logs_a partition of logs for values in ('a', null);
	insert into readings select '2030-02-02', n, n from generate_series(1, 20) n;
	insert into logs values ('a', 'x'), (null, 'y'), ('z', 'z')`

// places returns which rows are in which partition.
func (f *fixture) places(t *testing.T, schema string) []string {
	t.Helper()
	rows, err := f.owner.Query(t.Context(), "select (tableoid::regclass::text || ' ' || r::text) collate \"C\" from "+
		schema+".readings r union all "+
		"select tableoid::regclass::text || ' ' || l::text from "+schema+".logs l order by 1")
	require.NoError(t, err)
	places, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for i, place := range places {
		places[i] = string(bytes.ReplaceAll([]byte(place), []byte(schema+"."), nil))
	}
	return places
}

// expectNoDrift expects schemas to be as the migrations create them, including rights and owners.
func (f *fixture) expectNoDrift(t *testing.T, schemas ...string) {
	t.Helper()
	report, err := drift.Check(t.Context(), f.runner, schemas,
		drift.Options{ReadOptions: drift.ReadOptions{Roles: f.roles}})
	require.NoError(t, err)
	require.NoError(t, report.Err(), "%s", report)
}

func TestPartitionsCreatedAtRunTimeAreRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, readings)
	tenant := f.create(t, "north")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	header, _, _ := f.stored(t, info.Name, plain)
	assert.Equal(t, 1, header.Version, "an earlier release reads an archive without such a partition")

	f.exec(t, tenant.Schema, moreReadings)
	f.expectNoDrift(t, tenant.Schema)
	want := f.places(t, tenant.Schema)
	info, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	header, _, _ = f.stored(t, info.Name, plain)
	assert.Equal(t, 2, header.Version)
	assert.Len(t, header.Partitions, 4, "of them that of the migration is none")
	assert.Empty(t, info.Differences)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	restored, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	cloned, err := s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "south", Domain: "south.example.com"})
	require.NoError(t, err)
	for _, schema := range []string{restored.Tenant.Schema, cloned.Tenant.Schema} {
		assert.Equal(t, want, f.places(t, schema))
		f.expectNoDrift(t, schema)
	}
	empty, err := s.Clone(t.Context(), "north", backup.CloneOptions{
		Slug: "east", Domain: "east.example.com",
		Data: backup.CloneStructure,
	})
	require.NoError(t, err)
	f.expectNoDrift(t, empty.Tenant.Schema)
	f.exec(t, empty.Tenant.Schema, "insert into readings values ('2030-02-02', 1, 1)")
}

func TestAPartitionWithItsOwnObjectsIsDrift(t *testing.T) {
	t.Parallel()
	f := setup(t, readings)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, moreReadings+"; create index own on readings_2030_0 (sensor)")
	s := f.service(t, backup.Config{})
	_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.ErrorIs(t, err, backup.ErrDrift)
	require.ErrorContains(t, err, "table readings_2030_0: index own is unexpected")
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "south", Domain: "south.example.com"})
	require.ErrorIs(t, err, backup.ErrDrift)
	cloned, err := s.Clone(t.Context(), "north", backup.CloneOptions{
		Slug: "south", Domain: "south.example.com",
		Drift: backup.DriftRecord,
	})
	require.NoError(t, err)
	assert.Equal(t, f.places(t, tenant.Schema), f.places(t, cloned.Tenant.Schema))

	f.exec(
		t,
		tenant.Schema,
		"drop index own; create table logs_b partition of logs for values in ('b') partition by list (lower(body))",
	)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.ErrorIs(t, err, backup.ErrUnsupported)
	require.ErrorContains(t, err, "partition logs_b")
}

func TestForgedPartitionsAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, readings)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, moreReadings)
	s := f.service(t, backup.Config{})
	var archived bytes.Buffer
	_, err := s.BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	require.NoError(t, err)
	before := f.everything(t)
	find := func(f *forged, name string) *archive.Partition {
		for i := range f.header.Partitions {
			if f.header.Partitions[i].Name == name {
				return &f.header.Partitions[i]
			}
		}
		panic(name)
	}
	value := func(s string) []archive.Datum { return []archive.Datum{{Text: s}} }
	mismatch, rows := backup.ErrMismatch, backup.ErrRows
	for what, c := range map[string]struct {
		change func(f *forged)
		want   error
	}{
		"bounds that are no values of the key": {func(f *forged) {
			find(f, "readings_2030").Bound.To = value(
				"'); drop table x; --")
		}, mismatch},
		"a bound that is a moment": {
			func(f *forged) { find(f, "readings_2030").Bound.From = value("now") },
			mismatch,
		},
		"bounds that overlap": {
			func(f *forged) { find(f, "readings_2030_1").Bound.Remainder = 0 },
			mismatch,
		},
		"bounds of another strategy": {func(f *forged) { find(f, "logs_a").Bound = archive.Bound{} }, mismatch},
		"a key of a column that is not there": {func(f *forged) {
			find(f,
				"readings_2030").Key.Columns = []string{injection}
		}, mismatch},
		"the name of the version table": {func(f *forged) { find(f, "logs_a").Name = "goose_db_version" }, mismatch},
		"the name of another partition": {func(f *forged) { find(f, "logs_a").Name = "logs_rest" }, mismatch},
		"bounds without some rows": {func(f *forged) {
			find(f, "readings_2030").Bound.To = value(
				"2030-01-02 00:00:00+00")
		}, rows},
		"no partition for some rows": {func(f *forged) { f.header.Partitions = f.header.Partitions[:1] }, rows},
	} {
		forged := forge(t, archived.Bytes(), c.change)
		_, err := s.RestoreFrom(t.Context(), bytes.NewReader(forged), backup.RestoreOptions{Replace: "north"})
		require.ErrorIs(t, err, c.want, what)
	}
	assert.Equal(t, before, f.everything(t))
	named := forge(t, archived.Bytes(), func(f *forged) { find(f, "logs_a").Name = injection })
	_, err = s.RestoreFrom(t.Context(), bytes.NewReader(named), backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err, "a name is only a name")
}

func TestExtraTablesAreExcluded(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	var err error
	f.runner, err = migrate.New(f.owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}, Tenant: []migrate.Source{notes},
		ExtraTables: []string{"django_migrations", "parts", "notes"},
	})
	require.NoError(t, err)
	f.tenants, err = tenancy.New(f.owner, tenancy.Config{Migrator: f.runner, Roles: f.roles})
	require.NoError(t, err)
	tenant := f.create(t, "north")
	f.exec(
		t,
		tenant.Schema,
		someNotes+`; create table django_migrations (id serial primary key, app regclass);
		insert into django_migrations (id) values (1);
		create table parts (n int) partition by list (n); create table parts_1 partition of parts default`,
	)
	f.expectNoDrift(t, tenant.Schema)
	want := f.content(t, "north")
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	header, _, tables := f.stored(t, info.Name, plain)
	assert.Equal(t, []string{"django_migrations", "parts"}, header.LeftOut)
	assert.Len(t, tables, 2, "the table of the migrations is in it, whatever the configuration says")
	restored, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	require.Len(t, restored.Warnings, 2)
	assert.Equal(t, "table django_migrations", restored.Warnings[0].Object)
	assert.Equal(t, want["notes"], f.content(t, "north")["notes"])
	f.exec(t, restored.Tenant.Schema, "create table unknown (n int)")
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.ErrorIs(t, err, backup.ErrDrift)

	_, err = migrate.New(f.owner, migrate.Config{ExtraTables: []string{""}})
	require.ErrorContains(t, err, "extra table")
}
