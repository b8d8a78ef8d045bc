package backup_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// obstacles are features that a restore has to work around and then recreate: triggers in every
// state, foreign keys of every kind, row security, and materialized views that depend on each other
// in the wrong order.
var obstacles = migrate.Source{
	Name: "obstacles", Base: 5000,
	FS: fstest.MapFS{"00001_obstacles.sql": {Data: []byte(`-- +goose Up
create table countries_of (code text primary key references public.countries);
comment on constraint countries_of_code_fkey on countries_of is 'it''s "shared"';
create table parents (id int primary key, at date, unique (id, at));
create table doubtful (parent int);
alter table doubtful add constraint doubtful_parent_fkey foreign key (parent) references parents
	on update cascade on delete set null not valid;
create table events (id int, at date, parent int references parents deferrable, primary key (id, at))
	partition by range (at);
create table events_1 partition of events for values from ('2020-01-01') to ('2021-01-01');
create table events_2 partition of events default;
alter table events_2 add constraint events_2_only foreign key (parent) references parents;
create table follow (event int, at date, foreign key (event, at) references events match full on delete cascade);
-- +goose StatementBegin
create function fired() returns trigger language plpgsql as $$
begin raise exception 'fired on %', tg_table_name; end $$;
-- +goose StatementEnd
create trigger origin before insert on parents for each row execute function fired();
create trigger replica after insert on parents for each row execute function fired();
create trigger always_ after insert on parents for each statement execute function fired();
create trigger truncated before truncate on parents for each statement execute function fired();
create constraint trigger late after insert on parents deferrable initially deferred
	for each row execute function fired();
create trigger off before insert on parents for each row execute function fired();
alter table parents enable replica trigger replica, enable always trigger always_, disable trigger off;
create trigger rows_ before insert on events for each row execute function fired();
create trigger all_ after insert on events for each statement execute function fired();
comment on trigger rows_ on events is 'it''s for each row';
create trigger always_rows after insert on events for each row execute function fired();
alter table events enable always trigger always_rows;
create trigger some_rows after update on events for each row execute function fired();
alter table events_1 disable trigger some_rows;
create rule instead as on insert to doubtful where new.parent < 0 do instead nothing;
create view middle as select count(*) as n from parents;
create materialized view top as select 0::bigint as n;
create materialized view bottom as select n + 1 as n from middle;
create view between_ as select n * 2 as n from bottom;
drop materialized view top;
create materialized view top as select n + 100 as n from between_;
create table seeds (id int generated always as identity, body text);
insert into seeds (body) values ('of the migration'), ('and another');
`)}},
}

const obstacleRows = `set local session_replication_role = replica;
	alter table events disable trigger always_rows;
	alter table parents disable trigger always_, disable trigger replica, disable trigger truncated;
	insert into countries_of values ('de');
	insert into parents select n, '2020-02-02' from generate_series(1, 3) n;
	insert into events values (1, '2020-05-05', 1), (2, '2022-02-02', 2), (3, '2020-07-07', null);
	insert into follow values (1, '2020-05-05'), (null, null);
	insert into doubtful values (99), (1);
	update seeds set body = 'changed' where id = 1; delete from seeds where id = 2;
	insert into seeds (body) values ('new');
	alter table events enable always trigger always_rows;
	alter table parents enable always trigger always_, enable replica trigger replica, enable trigger truncated;
	refresh materialized view bottom; refresh materialized view top`

func TestEveryFeatureIsRestored(t *testing.T) {
	t.Parallel()
	f := setup(t, append(features(t), obstacles)...)
	f.countries(t)
	tenant := f.createFeatures(t, "north")
	f.admin(t, tenant.Schema, obstacleRows)
	want, structure := f.content(t, "north"), f.structure(t, tenant.Schema)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)

	replaced, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	copied, err := s.Restore(t.Context(), info.Name, backup.RestoreOptions{Slug: "south", Domain: "south.example.com"})
	require.NoError(t, err)
	for _, r := range []backup.RestoreResult{replaced, copied} {
		f.expectContent(t, r.Tenant.Slug, want)
		if !assert.Equal(t, structure, f.structure(t, r.Tenant.Schema), r.Tenant.Slug) {
			t.Logf("differences: %v", f.differences(t, copied.Tenant.Schema, r.Tenant.Schema))
		}
		var top int64
		require.NoError(t, f.owner.QueryRow(t.Context(), "select n from "+r.Tenant.Schema+".top").Scan(&top))
		assert.Equal(t, int64(108), top, "the materialized view has %d", top)
	}
	for name, text := range want {
		if !strings.HasPrefix(name, "sequence") && len(text) == 0 {
			assert.Equal(t, "nothing", name, "%s was empty from the beginning", name)
		}
	}
}

// differences returns how two schemas differ.
func (f *fixture) differences(t testing.TB, a, b string) (texts []string) {
	t.Helper()
	var structures []drift.Structure
	for s, err := range drift.Read(t.Context(), f.owner, drift.ReadOptions{Roles: f.roles}, a, b) {
		require.NoError(t, err)
		structures = append(structures, s)
	}
	for _, d := range drift.Compare(structures[1], drift.Options{Reference: &structures[0]}) {
		texts = append(texts, d.String())
	}
	return texts
}

func TestAnOlderArchiveIsMigratedUp(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	want := f.content(t, "north")

	newer := fstest.MapFS{"00003_length.sql": {Data: []byte(
		"-- +goose Up\nalter table notes add length int;\nupdate notes set length = length(body);\n" +
			"alter table tags rename to labels;\n",
	)}}
	for name, file := range notes.FS.(fstest.MapFS) {
		newer[name] = file
	}
	f.migrations(t, migrate.Source{Name: "test", FS: newer})
	got, err := f.service(t, backup.Config{}).Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	now := f.content(t, "north")
	assert.Equal(t, want["tags"], now["labels"], "content %q", now)
	assert.True(t, strings.HasPrefix(now["notes"], "id,body,length\n1,first,5\n"), "content %q", now)
	// The former schema gets the missing migrations when the restore is reverted.
	_, err = f.service(t, backup.Config{}).RevertRestore(t.Context(), "north", got.Retained)
	require.NoError(t, err)
	now = f.content(t, "north")
	assert.Equal(t, want["tags"], now["labels"], "content %q", now)
}

func TestARenamedTenantIsRestoredFromItsOwnArchive(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	s := f.service(t, backup.Config{})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	want := f.content(t, "north")
	f.move(t, "north", "south", "south_schema")
	f.exec(t, "south_schema", "delete from tags")
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "south"})
	require.NoError(t, err)
	f.expectContent(t, "south", want)
	var listed []archive.Table
	for b, err := range s.Backups(t.Context(), tenant.ID) {
		require.NoError(t, err)
		listed = append(listed, archive.Table{Name: b.Name})
	}
	assert.Len(t, listed, 1, "%d backups are listed", len(listed))
}
