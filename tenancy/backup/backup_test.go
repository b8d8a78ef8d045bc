package backup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestATenantIsBackedUp(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(
		t,
		tenant.Schema,
		"insert into notes (body) values ('first'), ('sec\nond'), (''), (null); insert into tags values (1, 'a'), (1, 'b')",
	)
	var events []backup.Event
	s := f.service(t, backup.Config{Progress: progress(&events)})
	before := time.Now()
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)

	h, m, tables := f.stored(t, info.Name, archive.ReaderOptions{})
	want := map[string]string{
		"notes": "id,body\n1,first\n2,\"sec\nond\"\n3,\"\"\n4,\n", "tags": "note,tag\n1,a\n1,b\n",
	}
	assert.Equal(t, want, tables)
	if assert.Equal(t, int64(6), m.Rows(), "info %+v, manifest %+v", info, m) &&
		assert.Equal(t, int64(6), info.Rows, "info %+v, manifest %+v", info, m) &&
		assert.Equal(t, 2, info.Tables, "info %+v, manifest %+v", info, m) &&
		assert.Equal(t, backup.VerifiedContent, info.Verified, "info %+v, manifest %+v", info, m) {
		assert.False(t, info.VerifiedAt.Before(before), "info %+v, manifest %+v", info, m)
	}
	assert.Equal(t, tenant.ID, h.Tenant.ID, "header %+v", h)
	assert.Equal(t, "north", h.Tenant.Slug, "header %+v", h)
	assert.Equal(t, "active", h.Tenant.Status, "header %+v", h)
	assert.Equal(t, tenant.Schema, h.Schema, "header %+v", h)
	assert.Equal(t, []archive.Domain{{Host: "north.example.com", Primary: true, Verified: true}}, h.Tenant.Domains,
		"header %+v", h)
	if assert.Len(t, h.Migrations, 2, "migrations") &&
		assert.Equal(t, int64(2), h.Migrations[1].Version, "migrations") &&
		assert.Equal(t, "tags", h.Migrations[1].Name, "migrations") {
		assert.Len(t, h.Migrations[1].Checksum, 16, "migrations")
	}
	assert.Equal(t,
		[]archive.Sequence{{Name: "notes_id_seq", Last: 4, Called: true, Table: "notes", Column: "id", Identity: true}},
		h.Sequences,
		"sequences")
	if assert.NotEmpty(t, h.Snapshot, "header %+v", h) &&
		assert.NotEmpty(t, h.PostgreSQL, "header %+v", h) &&
		assert.NotEmpty(t, h.Library, "header %+v", h) &&
		assert.NotEmpty(t, h.Fingerprint, "header %+v", h) {
		assert.LessOrEqual(t, h.TakenAt.Sub(before).Abs(), time.Hour, "header %+v", h)
	}
	expectEvents(t, events, "started", "table notes 4", "table tags 2", "written", "verified")

	var listed []backup.Info
	for i, err := range s.Backups(t.Context(), tenant.ID) {
		require.NoError(t, err)
		listed = append(listed, i)
	}
	if assert.Len(t, listed, 1) && assert.Equal(t, info.SHA256, listed[0].SHA256) {
		assert.WithinDuration(t, info.VerifiedAt, listed[0].VerifiedAt, 0)
	}
	assert.Equal(t, []string{info.Name, info.Name + ".json"}, f.objects(t))
	assert.Truef(t, strings.HasPrefix(info.Name, f.own(t)+"1-north/2"), "name %q", info.Name)
}

func TestTablesAreFromOneSnapshot(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, "insert into notes (body) values ('first'); insert into tags values (1, 'a')")
	s := f.service(t, backup.Config{Progress: func(ctx ctx, e backup.Event) {
		if e.Kind == backup.EventStarted || e.Kind == backup.EventTable {
			f.exec(t, tenant.Schema, `with n as (insert into notes (body) values ('later') returning id)
				insert into tags select id, 'b' from n; delete from tags where tag = 'a'`)
		}
	}})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, _, tables := f.stored(t, info.Name, archive.ReaderOptions{})
	want := map[string]string{"notes": "id,body\n1,first\n", "tags": "note,tag\n1,a\n"}
	assert.Equal(t, want, tables)
}
