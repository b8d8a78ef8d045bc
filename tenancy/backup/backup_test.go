package backup_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestATenantIsBackedUp(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, "insert into notes (body) values ('first'), ('sec\nond'), (''), (null); insert into tags values (1, 'a'), (1, 'b')")
	var events []backup.Event
	s := f.service(t, backup.Config{Progress: progress(&events)})
	before := time.Now()
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	check(t, err)

	h, m, tables := f.stored(t, info.Name, archive.ReaderOptions{})
	if want := map[string]string{
		"notes": "id,body\n1,first\n2,\"sec\nond\"\n3,\"\"\n4,\n", "tags": "note,tag\n1,a\n1,b\n",
	}; !maps.Equal(tables, want) {
		t.Errorf("got  %q\nwant %q", tables, want)
	}
	if m.Rows() != 6 || info.Rows != 6 || info.Tables != 2 || info.Verified != backup.VerifiedContent || info.VerifiedAt.Before(before) {
		t.Errorf("info %+v, manifest %+v", info, m)
	}
	if h.Tenant.ID != tenant.ID || h.Tenant.Slug != "north" || h.Tenant.Status != "active" || h.Schema != tenant.Schema ||
		!slices.Equal(h.Tenant.Domains, []archive.Domain{{Host: "north.example.com", Primary: true, Verified: true}}) {
		t.Errorf("header %+v", h)
	}
	if len(h.Migrations) != 2 || h.Migrations[1].Version != 2 || h.Migrations[1].Name != "tags" || len(h.Migrations[1].Checksum) != 16 {
		t.Errorf("migrations %+v", h.Migrations)
	}
	if !slices.Equal(h.Sequences, []archive.Sequence{{Name: "notes_id_seq", Last: 4, Called: true, Table: "notes", Column: "id", Identity: true}}) {
		t.Errorf("sequences %+v", h.Sequences)
	}
	if h.Snapshot == "" || h.PostgreSQL == "" || h.Library == "" || h.Fingerprint == "" || h.TakenAt.Sub(before).Abs() > time.Hour {
		t.Errorf("header %+v", h)
	}
	expectEvents(t, events, "started", "table notes 4", "table tags 2", "written", "verified")

	var listed []backup.Info
	for i, err := range s.Backups(t.Context(), tenant.ID) {
		check(t, err)
		listed = append(listed, i)
	}
	if len(listed) != 1 || listed[0].SHA256 != info.SHA256 || !listed[0].VerifiedAt.Equal(info.VerifiedAt) {
		t.Errorf("listed %+v", listed)
	}
	if want := []string{info.Name, info.Name + ".json"}; !slices.Equal(f.objects(t), want) || !strings.HasPrefix(info.Name, f.own(t)+"1-north/2") {
		t.Errorf("store has %q", f.objects(t))
	}
}

func TestTablesAreFromOneMoment(t *testing.T) {
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
	check(t, err)
	_, _, tables := f.stored(t, info.Name, archive.ReaderOptions{})
	if want := map[string]string{"notes": "id,body\n1,first\n", "tags": "note,tag\n1,a\n"}; !maps.Equal(tables, want) {
		t.Errorf("got %q", tables)
	}
}
