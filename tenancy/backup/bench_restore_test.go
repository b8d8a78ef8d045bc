package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// pupils are the migrations of a school: three tables, two foreign keys, and an index besides the
// primary keys.
var pupils = migrate.Source{Name: "pupils", FS: fstest.MapFS{"00001_pupils.sql": {Data: []byte(`-- +goose Up
create table classes (id int primary key, name text not null);
create table pupils (id bigint generated always as identity primary key,
	class int not null references classes, name text not null, born date, note text);
create index pupils_class on pupils (class);
create table marks (id bigint generated always as identity primary key,
	pupil bigint not null references pupils, mark numeric(3, 1), at timestamptz not null);
`)}}}

const fillPupils = `insert into classes select n, 'class ' || n from generate_series(1, 100) n;
	insert into pupils (class, name, born, note)
		select 1 + n %% 100, 'pupil ' || n, date '2000-01-01' + (n %% 5000)::int,
			md5(n::text) || md5((n + 1)::text) from generate_series(1, %[1]d) n;
	insert into marks (pupil, mark, at)
		select 1 + n %% %[1]d, (n %% 60) / 10.0,
			timestamptz '2020-01-01Z' + n * interval '1 second' from generate_series(1, %[1]d) n`

// BenchmarkRestore compares a whole restore, including its verification, with COPY FROM. COPY FROM
// loads the same CSV into a schema that the same migrations have created, as psql's \copy would:
// the same rows, keys and indexes, in the same run, in turns. copy/restore is the relative
// throughput of the restore: 1 is that of COPY. "keys" has three tables with foreign keys: two of
// -backup-rows rows and one of a hundred. It also reports plain/restore, for COPY without these
// keys. "table" has one table without foreign keys and with as many rows, so that no verification
// can run in parallel with the load. With -short the tables have 10,000 rows.
func BenchmarkRestore(b *testing.B) {
	rows := *benchRows
	if testing.Short() {
		rows = 10_000
	}
	b.Run("keys", func(b *testing.B) {
		benchRestore(b, pupils, fmt.Sprintf(fillPupils, rows), []string{"classes", "pupils", "marks"},
			"alter table pupils drop constraint pupils_class_fkey; alter table marks drop constraint marks_pupil_fkey")
	})
	b.Run("table", func(b *testing.B) { benchRestore(b, large, fmt.Sprintf(largeSQL, rows), []string{"events"}, "") })
}

func benchRestore(b *testing.B, source migrate.Source, fill string, tables []string, withoutKeys string) {
	f := setup(b, source)
	tenant := f.create(b, "north")
	f.exec(b, tenant.Schema, fill)
	s := f.service(b, backup.Config{})
	info, err := s.Backup(b.Context(), "north", backup.BackupOptions{})
	require.NoError(b, err)
	b.SetBytes(info.Bytes)
	var copied, plain, restored time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		copied += f.copyIn(b, info.Name, fmt.Sprintf("c%d", n), tables, "")
		if withoutKeys != "" {
			plain += f.copyIn(b, info.Name, fmt.Sprintf("p%d", n), tables, withoutKeys)
		}
		b.StartTimer()
		start := time.Now()
		r, err := s.Restore(b.Context(), info.Name, backup.RestoreOptions{
			Slug:   fmt.Sprintf("r%d", n),
			Domain: fmt.Sprintf("r%d.example.com", n),
		})
		require.NoError(b, err)
		restored += time.Since(start)
		b.StopTimer()
		f.drop(b, r.Tenant.Slug)
		b.StartTimer()
	}
	b.ReportMetric(copied.Seconds()/float64(b.N), "copy-s/op")
	b.ReportMetric(copied.Seconds()/restored.Seconds(), "copy/restore")
	if withoutKeys != "" {
		b.ReportMetric(plain.Seconds()/restored.Seconds(), "plain/restore")
	}
}

// copyIn creates a tenant and loads the CSV of an archive into it as psql would.
func (f *fixture) copyIn(b *testing.B, name, slug string, tables []string, before string) time.Duration {
	b.Helper()
	tenant := f.create(b, slug)
	if before != "" {
		f.exec(b, tenant.Schema, before)
	}
	csv := f.csv(b, name)
	conn, err := f.owner.Acquire(b.Context())
	require.NoError(b, err)
	defer conn.Release()
	start := time.Now()
	for _, table := range tables {
		quoted, err := schemactx.QuoteName(tenant.Schema, table)
		require.NoError(b, err)
		_, err = conn.Conn().PgConn().CopyFrom(b.Context(), bytes.NewReader(csv[table]),
			"copy "+quoted+" from stdin (format csv, header)")
		require.NoError(b, err)
	}
	took := time.Since(start)
	f.drop(b, tenant.Slug)
	return took
}

func (f *fixture) csv(b *testing.B, name string) map[string][]byte {
	b.Helper()
	file, err := f.dir.Open(context.Background(), name)
	require.NoError(b, err)
	defer file.Close()
	r, err := archive.NewReader(file, archive.ReaderOptions{})
	require.NoError(b, err)
	defer r.Close()
	tables := make(map[string][]byte)
	for {
		table, err := r.Next()
		if err != nil {
			return tables
		}
		var text bytes.Buffer
		_, err = table.WriteTo(&text)
		require.NoError(b, err)
		tables[table.Name] = text.Bytes()
	}
}
