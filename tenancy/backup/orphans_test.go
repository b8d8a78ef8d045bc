package backup_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A verified backup must be restorable. So a row that violates a foreign key is named when the
// archive is made. Keys of every other shape are verified and restored.
func TestRowsThatViolateAForeignKeyAreRefusedByName(t *testing.T) {
	t.Parallel()
	f := setup(t, migrate.Source{Name: "test", FS: fstest.MapFS{"00001_keys.sql": {Data: []byte(`-- +goose Up
create domain code as varchar(10);
create table people (id bigint primary key, boss bigint references people deferrable initially deferred,
	c code unique, v varchar(10) unique);
create table "Odd ""name" (person bigint not null references people on delete cascade,
	c code references people (c), v text);
create table pairs (a int, b int, primary key (a, b));
create table simple (id int, a int, b int, foreign key (a, b) references pairs);
create table complete (id int, a int, b int, foreign key (a, b) references pairs match full);
create table parts (id int, person bigint references people, primary key (id)) partition by range (id);
create table parts_1 partition of parts for values from (0) to (100);
create table to_parts (part int references parts);
create table undecided (person bigint, constraint later foreign key (person) references people not valid);
`)}}})
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, `insert into people values (1, 2, 'x', 'y'), (2, null, null, null);
		insert into "Odd ""name" values (1, 'x'), (2, null);
		insert into pairs values (1, 2); insert into simple values (1, 1, 2), (2, 1, null), (3, null, null);
		insert into complete values (1, 1, 2), (2, null, null);
		insert into parts values (1, 1), (2, null); insert into to_parts values (1), (null)`)
	s := f.service(t, backup.Config{})
	info := backUp(t, s, "north")
	require.Empty(t, info.Differences)
	_, err := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)

	for row, key := range map[string]string{
		"people values (3, 4)":              "foreign key people_boss_fkey of table people",
		`"Odd ""name" values (9)`:           `foreign key Odd "name_person_fkey of table Odd "name`,
		`"Odd ""name" values (1, 'nobody')`: `foreign key Odd "name_c_fkey of table Odd "name`,
		"simple values (4, 1, 3)":           "foreign key simple_a_b_fkey of table simple",
		"complete values (3, 1, null)":      "foreign key complete_a_b_fkey of table complete",
		"parts values (3, 9)":               "foreign key parts_person_fkey of table parts",
		"to_parts values (99)":              "foreign key to_parts_part_fkey of table to_parts",
	} {
		conn, err := f.pg.Pool.Acquire(t.Context())
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "set session_replication_role = replica")
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "set search_path = "+tenant.Schema)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "insert into "+row)
		require.NoError(t, err)
		_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
		var unsupported *backup.UnsupportedError
		require.ErrorAs(t, err, &unsupported, row)
		require.Len(t, unsupported.Objects, 1, row)
		assert.Equal(t, key, unsupported.Objects[0].Object)
		recorded, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
		require.NoError(t, err)
		require.Len(t, recorded.Differences, 1)
		assert.Contains(t, recorded.Differences[0], key)
		for _, sql := range []string{
			"delete from people where id = 3", `delete from "Odd ""name" where person = 9 or c = 'nobody'`,
			"delete from simple where id = 4",
			"delete from complete where id = 3", "delete from parts where id = 3", "delete from to_parts where part = 99",
		} {
			_, err = conn.Exec(t.Context(), sql)
			require.NoError(t, err)
		}
		_, err = conn.Exec(t.Context(), "reset all")
		require.NoError(t, err)
		conn.Release()
	}
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
}
