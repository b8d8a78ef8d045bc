package backup_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// zones have checks that ask about another table, whose rows are loaded later.
var zones = migrate.Source{Name: "zones", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table zones (id int primary key);
-- +goose StatementBegin
create function is_zone(x int) returns boolean language sql stable as 'select exists (select from zones where id = x)';
-- +goose StatementEnd
create domain zone as int check (is_zone(value));
create table addresses (id int, zone int check (is_zone(zone))) partition by list (id);
create table addresses_rest partition of addresses default;
create table homes (zone zone);
`)}}}

func TestRowsThatBreakTheCheckOfAFunctionAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, zones)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, "insert into zones values (1); insert into addresses values (1, 1); insert into homes values (1)")
	s := f.service(t, backup.Config{})
	var archived bytes.Buffer
	_, err := s.BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	require.NoError(t, err)
	before := f.everything(t)
	for table, c := range map[string]struct{ csv, refused, object string }{
		"addresses": {"id,zone\n1,9\n", "addresses_rest", "addresses_zone_check"},
		"homes":     {"zone\n9\n", "homes", "zone_check"},
		"zones":     {"id\n", "addresses_rest", "addresses_zone_check"},
	} {
		forged := forge(t, archived.Bytes(), func(f *forged) {
			f.tables[table], f.rows[table] = c.csv, int64(bytes.Count([]byte(c.csv), []byte("\n"))-1)
		})
		_, err := s.RestoreFrom(t.Context(), bytes.NewReader(forged), backup.RestoreOptions{Replace: "north"})
		var refused *backup.RowsError
		require.ErrorAs(t, err, &refused, table)
		assert.Equal(t, c.object, refused.Object)
		assert.Equal(t, c.refused, refused.Table)
	}
	assert.Equal(t, before, f.everything(t))
}
