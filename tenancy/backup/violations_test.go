package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// ruled are tables with every kind of constraint that the server checks only when a row is written.
var ruled = migrate.Source{Name: "ruled", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create domain code as text check (value <> 'bad');
create domain short_code as code check (length(value) < 5) not null;
create domain "odd ""domain" as int;
create table wholes (a int, b int, constraint whole check (wholes is not null));
create table people (id int primary key, email text, nick text, kind int, "value" int,
	constraint "odd ""name" check (kind > 0));
create unique index people_email on people (lower(email), kind desc) where kind < 100;
create unique index people_nick on people (nick text_pattern_ops);
create table nulls_too (a int, b int, unique nulls not distinct (a, b));
create table coded (id int, code short_code, codes code[]);
-- +goose StatementBegin
create function factor() returns int language plpgsql immutable as
	'begin return (select count(*) + 1 from zz_factors); end';
-- +goose StatementEnd
create table zz_factors (n int);
create table products (id int generated always as identity,
	from_id int generated always as (id * factor()) stored, n int,
	doubled int generated always as (n * factor()) stored,
	label text generated always as ('n' || 1::text) stored);
create type mood as enum ('good', 'bad');
create table moods (m mood);
create domain currency as char(3) check (value ~ '^[A-Z]{3}$');
create domain flags as bit(3) check (value <> B'000');
create table prices (n numeric, net numeric(10,2) generated always as (n * 1.333) stored,
	whole int generated always as (n * 1.5) stored, low real generated always as (n / 3) stored,
	padded char(4) generated always as ('ab') stored, "in" currency, lots currency[], f flags);
create table needed (id int, n int not null);
create table bookings (during int4range, other circle, exclude using gist (during with &&),
	exclude using gist (other with &&) where (during is not null));
create table parts (id int, at int, name text, primary key (at, id)) partition by range (at);
create table parts_1 partition of parts for values from (0) to (10);
create table parts_2 partition of parts for values from (10) to (20);
create table parts_rest partition of parts default;
create table parents (id int, unique (id));
create table children (note text) inherits (parents);
`)}}}

const ruledRows = `insert into people values (1, 'A', 'x', 1, 1), (2, 'A', null, 2, null), (3, 'a', 'X', 200, 1),
		(4, 'a', null, null, 1), (5, null, 'y', 2, 1);
	insert into nulls_too values (1, null), (null, 1), (null, null);
	insert into coded values (1, 'ok', '{x,null,bad2}'), (2, 'ok', null);
	insert into products (n) values (1), (null), (3);
	insert into prices (n, "in", lots, f) values (1.2345, 'EUR', '{USD,CHF}', B'011');
	insert into needed values (1, 1); insert into moods values ('good');
	insert into bookings values ('[1,3)', '<(0,0),1>'), ('[3,5)', '<(9,9),1>'), ('empty', null), ('empty', null),
		(null, '<(0,0),9>');
	insert into parts values (1, 1, 'a'), (1, 11, 'b'), (1, 99, 'c'), (1, 2, null);
	insert into parents values (1); insert into children values (1, 'the same as in its parent')`

// Rows can violate a constraint: because of a corrupt index, because a function or a collation has
// changed its result, or because a superuser bypassed it. They are named when the archive is made.
func TestRowsThatViolateAConstraintAreRefusedByName(t *testing.T) {
	t.Parallel()
	f := setup(t, ruled)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, ruledRows)
	var log bytes.Buffer
	s := f.service(t, backup.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	info := backUp(t, s, "north")
	_, err := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)

	// The function of a generated column reads rows that are loaded later.
	f.exec(t, tenant.Schema, "insert into zz_factors values (1); update products set n = n, id = default")
	info = backUp(t, s, "north")
	restored, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	var doubled int
	require.NoError(t, f.owner.QueryRow(t.Context(), "select sum(doubled + from_id) from "+restored.Tenant.Schema+
		".products").Scan(&doubled))
	assert.Equal(t, 28, doubled)

	// unready makes the server write rows that no index of the table gets, as with a corrupt index.
	unready := func(table, row string) string {
		ready := "update pg_index set indisready = %[2]t, indisvalid = %[2]t where indrelid = '%[1]s'::regclass; "
		return fmt.Sprintf(ready, table, false) + "insert into " + table + " " + row + "; " + fmt.Sprintf(ready, table, true)
	}
	var want []string
	for broken, objects := range map[string][]string{
		unready("people", "values (1, 'z', 'z', 3)"):           {"unique index people_pkey of table people"},
		unready("people", "values (9, 'a', 'z', 1)"):           {"unique index people_email of table people"},
		unready("people", "values (9, 'zz', 'x', 9)"):          {"unique index people_nick of table people"},
		unready("nulls_too", "values (null, null)"):            {"unique index nulls_too_a_b_key of table nulls_too"},
		unready("bookings", "values ('[2,3)', '<(50,50),1>')"): {"constraint bookings_during_excl of table bookings"},
		unready("parents", "values (1)"):                       {"unique index parents_id_key of table parents"},
		unready("parts_1", "values (1, 1, 'again')"):           {"unique index parts_pkey of table parts"},
		`insert into zz_factors values (9)`:                    {"column products.doubled", "column products.from_id"},
		`update pg_attribute set attnotnull = false where attrelid = 'needed'::regclass and attname = 'n';
			insert into needed values (2, null);
			update pg_attribute set attnotnull = true
			where attrelid = 'needed'::regclass and attname = 'n'`: {"column needed.n"},
		`alter table people drop constraint "odd ""name"; insert into people values (9, null, null, 0);
			alter table people add constraint "odd ""name" check (kind > 0) not valid;
			update pg_constraint set convalidated = true where conname = 'odd "name'`: {`check odd "name of table people`},
		`alter table wholes drop constraint whole; insert into wholes values (1, null);
			alter table wholes add constraint whole check (wholes is not null) not valid;
			update pg_constraint set convalidated = true where conname = 'whole'`: {"check whole of table wholes"},
		`alter domain code drop constraint code_check; insert into coded values (3, 'bad', '{bad}');
			alter domain code add constraint code_check check (value <> 'bad') not valid;
			update pg_constraint set convalidated = true where conname = 'code_check'`: {
			"check code_check of domain code", "check code_check of domain code",
		},
		`alter domain short_code drop not null; insert into coded values (3, null, null);
			update pg_type set typnotnull = true where typname = 'short_code'`: {
			"domain short_code",
		},
		`alter table parts detach partition parts_2; alter table parts_2 add constraint x check (true);
			insert into parts_2 values (5, 5, 'd');
			create table away (like parts_2); insert into away select * from parts_2; delete from parts_2 where at = 5;
			alter table parts attach partition parts_2 for values from (10) to (20);
			alter table parts_2 drop constraint x; update pg_class set relispartition = false where relname = 'parts_2';
			insert into parts_2 select * from away where at = 5;
			update pg_class set relispartition = true where relname = 'parts_2'; drop table away`: {
			"partition parts_2",
		},
	} {
		f.admin(t, f.schema(t, "north"), broken)
		want = append(want, objects...)
	}
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	var unsupported *backup.UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	var found []string
	for _, o := range unsupported.Objects {
		found = append(found, o.Object)
	}
	assert.ElementsMatch(t, want, found)
	assert.NotContains(t, log.String(), "not checked")
	recorded, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.NoError(t, err)
	assert.Len(t, recorded.Differences, len(want))
	_, err = s.Verify(t.Context(), recorded.Name, backup.RestoreOptions{})
	require.ErrorIs(t, err, backup.ErrRows)

	f.admin(
		t,
		f.schema(t, "north"),
		"update pg_enum set oid = (oid::bigint + 100000)::oid where enumtypid = 'mood'::regtype",
	)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.ErrorAs(t, err, &unsupported)
	assert.Equal(t, "table moods", unsupported.Objects[0].Object)
}

// reloaded are tables for whose rows a restore calls functions that read other rows.
var reloaded = migrate.Source{Name: "reloaded", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table zz_known (code text primary key, n int);
-- +goose StatementBegin
create function is_known(c text) returns boolean language plpgsql stable as
	'begin return exists (select from zz_known z where z.code = c); end';
create function number_of(c text) returns int language plpgsql immutable as
	'declare r int; begin select n into strict r from zz_known z where z.code = c; return r; end';
-- +goose StatementEnd
create domain known as text check (is_known(value));
create domain short as text check (length(value) < 5) not null;
create type pair as (a known, b int);
create type shorts as (a short);
create table lists (id int, l known[]);
create table pairs (id int, p pair[]);
create table alone (id int, a known);
create table nested (id int, s shorts);
create table indexed (id int, code text);
create index indexed_number on indexed (number_of(code));
create unique index indexed_some on indexed (id) where number_of(code) > 0;
create table generated (code text, n int generated always as (number_of(code)) stored);
`)}}}

const reloadedRows = `insert into zz_known values ('EUR', 1), ('USD', 2);
	insert into lists values (1, array['EUR']::known[]);
	insert into pairs values (1, array[row('EUR', 1)::pair, null]); insert into alone values (1, 'USD');
	insert into nested values (1, row('abc')); insert into indexed values (1, 'EUR'), (2, 'USD');
	insert into generated (code) values ('USD')`

// A restore cannot drop a domain's check if tables use the domain in arrays or composite types, nor
// the expression of an index or of a generated column. Each row that it loads must pass these.
func TestRowsThatCannotBeLoadedAgainAreRefusedByName(t *testing.T) {
	t.Parallel()
	f := setup(t, reloaded)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, reloadedRows)
	var log bytes.Buffer
	s := f.service(t, backup.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	info := backUp(t, s, "north")
	_, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "south"})
	require.NoError(t, err)

	f.admin(
		t,
		f.schema(t, "north"),
		`alter domain short drop constraint short_check; update nested set s = row('too long');
		alter domain short add constraint short_check check (length(value) < 5) not valid;
		update pg_constraint set convalidated = true where conname = 'short_check'; delete from zz_known where code = 'USD'`,
	)
	var found []string
	refuse := func() {
		_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
		var unsupported *backup.UnsupportedError
		require.ErrorAs(t, err, &unsupported)
		found = nil
		for _, o := range unsupported.Objects {
			found = append(found, o.Object)
		}
	}
	refuse()
	assert.ElementsMatch(t, []string{
		"column alone.a", "column generated.n", "column nested.s", "index indexed_number of table indexed",
		"index indexed_some of table indexed",
		"unique index indexed_some of table indexed",
	}, found)
	f.admin(
		t,
		f.schema(t, "north"),
		"delete from zz_known; delete from nested; delete from indexed; delete from generated",
	)
	refuse()
	assert.ElementsMatch(t, []string{"column alone.a", "column lists.l", "column pairs.p"}, found)
}

// temporal are keys with periods and other features of PostgreSQL 18.
var temporal = migrate.Source{Name: "temporal", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table unique_rooms (id int4range primary key);
create table rooms (id int4range, at daterange, constraint rooms_key primary key (id, at without overlaps));
create table stays (room int4range, at daterange, foreign key (room, period at) references rooms (id, period at));
create table later (room int4range, n int, v int generated always as (n * 2),
	constraint promised check (n > 0) not enforced, foreign key (room) references unique_rooms (id) not enforced);
alter table later add constraint n_there not null n not valid;
`)}}}

func TestRowsThatViolateATemporalConstraintAreRefusedByName(t *testing.T) {
	t.Parallel()
	if pgtest.Version(t) < 18 {
		t.Skip("PostgreSQL has had temporal constraints since 18")
	}
	f := setup(t, temporal)
	tenant := f.create(t, "north")
	f.exec(
		t,
		tenant.Schema,
		`insert into rooms values ('[1,2)', '[2026-01-01,2026-02-01)'), ('[1,2)', '[2026-02-01,2026-03-01)'),
			('[2,3)', '[2026-01-01,)');
		insert into stays values ('[1,2)', '[2026-01-20,2026-02-10)'), (null, '[1999-01-01,)');
		insert into later values ('[7,8)', -1)`,
	)
	var log bytes.Buffer
	s := f.service(t, backup.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	info := backUp(t, s, "north")
	_, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	_, err = s.Clone(t.Context(), "north", backup.CloneOptions{Slug: "south"})
	require.NoError(t, err)
	assert.NotContains(t, log.String(), "not checked")
	f.admin(
		t,
		f.schema(t, "north"),
		`set local session_replication_role = replica; insert into stays values ('[2,3)', '[2025-12-31,2026-01-02)');
		update pg_index set indisready = false, indisvalid = false where indrelid = 'rooms'::regclass;
		insert into rooms values ('[2,3)', '[2027-01-01,2027-02-01)');
		update pg_index set indisready = true, indisvalid = true where indrelid = 'rooms'::regclass`,
	)
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	var unsupported *backup.UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	require.Len(t, unsupported.Objects, 2)
	assert.Equal(t, "foreign key stays_room_at_fkey of table stays", unsupported.Objects[0].Object)
	assert.Equal(t, "constraint rooms_key of table rooms", unsupported.Objects[1].Object)
}

// A server may limit the size of a query's temporary files, which a sort of a large table needs.
func TestATableThatTheServerDoesNotSortIsBackedUp(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, "create table many (n int unique); insert into many select generate_series(1, 20000)")
	f.admin(t, f.schema(t, "north"), "alter role "+f.roles.Owner()+" set work_mem = '64kB'; alter role "+f.roles.Owner()+
		" set temp_file_limit = '64kB'")
	f.owner.Reset()
	var log bytes.Buffer
	s := f.service(t, backup.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := s.Backup(t.Context(), "north", backup.BackupOptions{Drift: backup.DriftRecord})
	require.NoError(t, err)
	assert.Contains(t, log.String(), "unique index many_n_key of table many")
}

// A backup does not wait for a session that changes the partitioned table of another tenant.
func TestABackupLocksNoPartitionedTableOfAnotherTenant(t *testing.T) {
	t.Parallel()
	f := setup(t, ruled)
	f.create(t, "north")
	south := f.create(t, "south")
	s := f.service(t, backup.Config{})
	tx, err := f.owner.Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(t.Context()) //nolint:errcheck // it has changed nothing
	_, err = tx.Exec(t.Context(), "lock table "+south.Schema+".parts in access exclusive mode")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = s.Backup(ctx, "north", backup.BackupOptions{})
	require.NoError(t, err)
}
