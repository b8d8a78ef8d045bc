package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// createLarge creates a tenant whose archive has several parts.
func (f *fixture) createLarge(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	tenant := f.create(t, slug)
	f.exec(
		t,
		tenant.Schema,
		`insert into notes (body) select string_agg(md5((n * i)::text), ' ') from generate_series(1, 1000) n,
		generate_series(1, 100) i group by n; insert into tags values (1, 'a')`,
	)
	return tenant
}

// expectNothing expects that the tenant has no backup, that only the files left remain, and that
// the next backup succeeds.
func (f *fixture) expectNothing(t *testing.T, tenant tenancy.Tenant, left ...string) {
	t.Helper()
	s := f.service(t, backup.Config{})
	for info, err := range s.Backups(t.Context(), tenant.ID) {
		assert.Fail(t, "there is a backup", "%+v, %v", info, err)
	}
	names := f.files(t)
	assert.Len(t, names, len(left), "the directory has %q", names)
	info, err := s.Backup(t.Context(), tenant.Slug, backup.BackupOptions{})
	assert.NoError(t, err, "the next run: %+v", info)
	assert.Equal(t, backup.VerifiedContent, info.Verified, "the next run: %+v", info)
}

// files returns all files of the fixture's directory, including those that are no objects.
func (f *fixture) files(t *testing.T) (names []string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS(f.path), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	}))
	return names
}

func TestAStoreThatFailsKeepsNoBackup(t *testing.T) {
	t.Parallel()
	for what, store := range map[string]*faulty{
		"away from the beginning":  {create: func(string) error { return errAway }},
		"disk full at once":        {write: func(int64) error { return syscall.ENOSPC }},
		"disk full later":          {write: func(n int64) error { return failAfter(n, 500_000, syscall.ENOSPC) }},
		"away at the commit":       {commit: func(string) error { return errAway }},
		"away afterwards":          {open: func(string) error { return errAway }},
		"no room for the receipt":  {create: func(name string) error { return failOnReceipt(name, syscall.ENOSPC) }},
		"receipt is not committed": {commit: func(name string) error { return failOnReceipt(name, errAway) }},
		"a bit is lost": {receive: func(r io.ReadCloser) io.ReadCloser {
			return &changed{ReadCloser: r, change: func(n int64, p []byte) (int, error) {
				if n == 0 && len(p) > 600 {
					p[600] ^= 1
				}
				return 0, nil
			}}
		}},
		"the end is lost": {receive: func(r io.ReadCloser) io.ReadCloser {
			return &changed{ReadCloser: r, change: func(n int64, _ []byte) (int, error) {
				return 0,
					failAfter(n, 400_000, io.EOF)
			}}
		}},
		"away while it is read": {receive: func(r io.ReadCloser) io.ReadCloser {
			return &changed{ReadCloser: r, change: func(n int64, _ []byte) (int, error) {
				return 0,
					failAfter(n, 400_000, errAway)
			}}
		}},
		"another archive is read": {},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := setup(t, notes)
			tenant := f.createLarge(t, "north")
			if what == "another archive is read" {
				store.receive = f.another(t)
			}
			store.Store = f.dir
			_, err := f.service(t, backup.Config{Store: store}).Backup(t.Context(), "north", backup.BackupOptions{})
			require.Error(t, err, "the backup succeeded")
			var verify *backup.VerifyError
			read := store.open != nil || store.receive != nil
			if assert.Equal(t, read, errors.As(err, &verify), "got %v", err) {
				assert.False(t, read && verify.Leftover, "got %v", err)
			}
			f.expectNothing(t, tenant)
		})
	}
}

// another returns a function that answers every read with an older backup of the same tenant.
func (f *fixture) another(t *testing.T) func(io.ReadCloser) io.ReadCloser {
	t.Helper()
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	older, err := os.ReadFile(filepath.Join(f.path, info.Name))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(f.path, info.Name)))
	require.NoError(t, os.Remove(filepath.Join(f.path, info.Name+".json")))
	return func(r io.ReadCloser) io.ReadCloser {
		require.NoError(t, r.Close())
		return io.NopCloser(bytes.NewReader(older))
	}
}

func failAfter(n, limit int64, err error) error {
	if n < limit {
		return nil
	}
	return err
}

func failOnReceipt(name string, err error) error {
	if isReceipt(name) {
		return err
	}
	return nil
}

func TestAFileThatCannotBeDeletedIsNoBackup(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.createLarge(t, "north")
	store := &faulty{
		Store: f.dir, open: func(string) error { return errAway },
		remove: func(string) error { return errAway },
	}
	_, err := f.service(t, backup.Config{Store: store}).Backup(t.Context(), "north", backup.BackupOptions{})
	var verify *backup.VerifyError
	require.ErrorAs(t, err, &verify)
	require.True(t, verify.Leftover, "got %v", err)
	require.ErrorIs(t, err, backup.ErrVerify)
	require.ErrorIs(t, err, errAway)
	f.expectNothing(t, tenant, verify.Name)
}

func TestACancelledBackupLeavesNothing(t *testing.T) {
	t.Parallel()
	for what, when := range map[string]struct {
		event backup.EventKind
		bytes int64
	}{
		"at the beginning": {event: backup.EventStarted}, "in a table": {bytes: 500_000},
		"between tables": {event: backup.EventTable}, "before it is verified": {event: backup.EventWritten},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := setup(t, notes)
			tenant := f.createLarge(t, "north")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			store := &faulty{Store: f.dir, write: func(n int64) error {
				if when.bytes > 0 && n > when.bytes {
					cancel()
				}
				return nil
			}}
			s := f.service(t, backup.Config{Store: store, Progress: func(_ context.Context, e backup.Event) {
				if e.Kind == when.event {
					cancel()
				}
			}})
			_, err := s.Backup(ctx, "north", backup.BackupOptions{})
			assert.ErrorIs(t, err, context.Canceled)
			f.expectNothing(t, tenant)
		})
	}
}

func TestAKilledConnectionLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, event := range []backup.EventKind{backup.EventStarted, backup.EventTable} {
		t.Run(string(event), func(t *testing.T) {
			t.Parallel()
			f := setup(t, notes)
			tenant := f.createLarge(t, "north")
			killed := 0
			s := f.service(t, backup.Config{Progress: func(_ context.Context, e backup.Event) {
				if e.Kind == event && (e.Table == "" || e.Table == "notes") {
					killed += f.kill(t)
				}
			}})
			_, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
			assert.Error(t, err, "%d connections were killed: %v", killed, err)
			assert.Equal(t, 1, killed, "%d connections were killed: %v", killed, err)
			f.expectNothing(t, tenant)
		})
	}
}

func TestAConnectionKilledDuringCopyLeavesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.createLarge(t, "north")
	killed := 0
	store := &faulty{Store: f.dir, write: func(n int64) error {
		if n > 0 && killed == 0 {
			killed = f.kill(t)
		}
		return nil
	}}
	_, err := f.service(t, backup.Config{Store: store}).Backup(t.Context(), "north", backup.BackupOptions{})
	assert.Error(t, err, "%d connections were killed: %v", killed, err)
	assert.Equal(t, 1, killed, "%d connections were killed: %v", killed, err)
	f.expectNothing(t, tenant)
}

// kill ends the connections to the fixture's database that have an open transaction, such as that
// of the backup.
func (f *fixture) kill(t *testing.T) (n int) {
	require.NoError(t, f.pg.Pool.QueryRow(context.Background(), `select count(*) from (
		select pg_terminate_backend(pid, 10000) from pg_stat_activity
		where datname = current_database() and xact_start is not null
			and pid <> pg_backend_pid() and backend_type = 'client backend'
	) x`).Scan(&n))
	return n
}

func TestAPanicInAHookLeavesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.createLarge(t, "north")
	s := f.service(t, backup.Config{Progress: func(_ context.Context, e backup.Event) {
		if e.Kind == backup.EventTable {
			panic("hook")
		}
	}})
	func() {
		defer func() {
			assert.Equal(t, "hook", recover(), "recovered")
		}()
		_, _ = s.Backup(t.Context(), "north", backup.BackupOptions{})
	}()
	f.expectNothing(t, tenant)
}
