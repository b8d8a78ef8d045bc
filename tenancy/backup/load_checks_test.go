package backup_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// zones have checks that read another table, whose rows are loaded later.
var zones = migrate.Source{Name: "zones", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create table zones (id int primary key);
-- +goose StatementBegin
create function is_zone(x int, "or" boolean default false) returns boolean language sql stable strict cost 7
	as 'select "or" or exists (select from zones where id = x)';
create function is_room(x int) returns boolean language plpgsql as 'begin return is_zone(x); end';
-- +goose StatementEnd
create operator @@@ (rightarg = int, function = is_room);
create domain zone as int check (is_zone(value));
create table addresses (id int, zone int constraint zoned check (@@@ zone and zone > 0)) partition by list (id);
create table addresses_rest partition of addresses default;
create table homes (zone zone);
`)}}}

func (f *fixture) zoned(t *testing.T) *backup.Service {
	t.Helper()
	tenant := f.create(t, "north")
	f.exec(
		t,
		tenant.Schema,
		"insert into zones values (1); insert into addresses values (1, 1); insert into homes values (1)",
	)
	return f.service(t, backup.Config{})
}

// A check that was valid when the rows were written may refuse them later. The server does not
// check them again, and a restore must not fail because of it.
func TestRowsThatTheFunctionOfACheckRefusesTodayAreRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, zones)
	s := f.zoned(t)
	f.exec(t, f.schema(t, "north"), "delete from zones")
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	verification, err := s.Verify(t.Context(), info.Name, backup.RestoreOptions{})
	require.NoError(t, err)
	require.Len(t, verification.Warnings, 2)
	assert.Equal(t, "check zoned", verification.Warnings[0].Object)
	assert.Equal(t, "check zone_check", verification.Warnings[1].Object)
	before := f.everything(t)
	_, err = s.Verify(t.Context(), info.Name, backup.RestoreOptions{Checks: backup.ChecksRefuse})
	require.ErrorIs(t, err, backup.ErrRows)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Checks: backup.ChecksRefuse})
	require.ErrorIs(t, err, backup.ErrRows)
	assert.Equal(t, before, f.everything(t))
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north", Checks: 9})
	var field *tenancy.FieldError
	require.ErrorAs(t, err, &field)
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	f.expectNoDrift(t, f.schema(t, "north"))
	for _, sql := range []string{"insert into addresses values (2, 1)", "insert into homes values (1)"} {
		_, err = f.owner.Exec(t.Context(), "set search_path = "+f.schema(t, "north")+"; "+sql,
			pgx.QueryExecModeSimpleProtocol)
		require.ErrorContains(t, err, "violates check constraint", "the functions are what they were")
	}
	_, err = s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
}

func TestRowsThatBreakACheckBesideItsFunctionAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, zones)
	s := f.zoned(t)
	var archived bytes.Buffer
	_, err := s.BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	require.NoError(t, err)
	before := f.everything(t)
	bad := forge(t, archived.Bytes(), func(f *forged) { f.tables["addresses"] = "id,zone\n1,-1\n" })
	_, err = s.RestoreFrom(t.Context(), bytes.NewReader(bad), backup.RestoreOptions{Replace: "north"})
	var refused *backup.RowsError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "zoned", refused.Object)
	assert.Equal(t, "addresses_rest", refused.Table)
	assert.Equal(t, before, f.everything(t))
}

// visits have checks that depend on the time and on the role.
var visits = migrate.Source{Name: "visits", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create domain fresh as timestamptz check (value > now() - interval '1 day');
create table visits (until timestamptz check (until > current_timestamp), seen fresh,
	by_ text check (by_ = current_user),
	kind varchar check (kind in ('a', 'b'))) partition by list (kind);
create table visits_rest partition of visits default;
`)}}}

// A check may depend on the time or the role. Rows that it refuses today are restored, and the
// check is left NOT VALID.
func TestRowsThatACheckRefusesTodayAreRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, visits)
	f.create(t, "north")
	s := f.service(t, backup.Config{})
	var archived bytes.Buffer
	f.exec(t, f.schema(t, "north"), "insert into visits values (now() + interval '1 day', now(), current_user, 'a')")
	_, err := s.BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	require.NoError(t, err)
	verification, err := s.VerifyFrom(t.Context(), bytes.NewReader(archived.Bytes()), backup.RestoreOptions{})
	require.NoError(t, err)
	assert.Empty(t, verification.Warnings)
	later := forge(t, archived.Bytes(), func(f *forged) {
		f.tables["visits"] = "until,seen,by_,kind\n2020-01-01 00:00:00+00,2020-01-01 00:00:00+00,ada,a\n"
	})
	_, err = s.VerifyFrom(t.Context(), bytes.NewReader(later), backup.RestoreOptions{Checks: backup.ChecksRefuse})
	require.ErrorIs(t, err, backup.ErrRows)
	restored, err := s.RestoreFrom(t.Context(), bytes.NewReader(later), backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	require.Len(t, restored.Warnings, 3)
	for _, w := range restored.Warnings {
		assert.Contains(t, w.Reason, "is left NOT VALID")
	}
	bad := forge(t, archived.Bytes(), func(f *forged) { f.tables["visits"] = "until,seen,by_,kind\n,,,c\n" })
	_, err = s.VerifyFrom(t.Context(), bytes.NewReader(bad), backup.RestoreOptions{})
	require.ErrorIs(t, err, backup.ErrRows)
	_, err = s.BackupTo(t.Context(), "north", &archived, backup.BackupOptions{})
	require.ErrorIs(t, err, backup.ErrDrift, "until the rows are right, and the checks validated")
}

var trips = migrate.Source{Name: "trips", FS: fstest.MapFS{"00001_a.sql": {Data: []byte(`-- +goose Up
create domain noon as timestamptz check (extract(hour from value) = 12);
create table trips (at timestamptz, day date check (day = at::date), lunch noon);
`)}}}

// A check may depend on the time zone of the session that wrote the rows.
func TestRowsThatACheckRefusesInAnotherTimeZoneAreRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, trips)
	f.create(t, "north")
	s := f.service(t, backup.Config{})
	f.exec(t, f.schema(t, "north"), `set local timezone = 'Asia/Tokyo';
		insert into trips values ('2020-01-01 20:00:00+00', '2020-01-02', '2020-01-01 12:00:00+09')`)
	info := backUp(t, s, "north")
	restored, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	require.Len(t, restored.Warnings, 2)
	for _, w := range restored.Warnings {
		assert.Contains(t, w.Reason, "is left NOT VALID")
	}
}
