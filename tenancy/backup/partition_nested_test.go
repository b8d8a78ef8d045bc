package backup_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A partition that is created at run time may belong to a partition that the migrations create.
func TestNestedPartitionsCreatedAtRunTimeAreRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, migrate.Source{Name: "m", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table h (a int, b int, primary key (a, b)) partition by hash (a);
create table h0 partition of h for values with (modulus 2, remainder 0) partition by range (b);
create table h1 partition of h for values with (modulus 2, remainder 1);
create table h0d partition of h0 default;
create table fk (a int, b int, foreign key (a, b) references h);
`)}}})
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, `insert into h select n, n from generate_series(1, 20) n; insert into fk values (3, 3);
		create table h0r partition of h0 for values from (1000) to (2000);
		insert into h select 1000 + n, 1500 from generate_series(1, 9) n`)
	s := f.service(t, backup.Config{})
	info := backUp(t, s, "north")
	want := f.content(t, "north")
	_, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	f.expectContent(t, "north", want)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "south"})
	require.NoError(t, err)
	f.expectContent(t, "south", want)
}
