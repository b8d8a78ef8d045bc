package backup_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// The crash test runs this test binary again, which restores until it is killed.

// restoreEnv is the environment variable with the order for a process that is to be killed.
const restoreEnv = "PGTENANT_TEST_RESTORE"

type restoreOrder struct {
	URL, Prefix, Dir, Name string
	Replace, Slug          string
}

func (o restoreOrder) run(ctx context.Context) error {
	owner, err := pgxpool.New(ctx, o.URL)
	if err != nil {
		return err
	}
	defer owner.Close()
	roles, err := schemactx.NewRoleNames(o.Prefix)
	if err != nil {
		return err
	}
	runner, err := migrate.New(owner, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}}, Tenant: []migrate.Source{pupils},
	})
	if err != nil {
		return err
	}
	tenants, err := tenancy.New(owner, tenancy.Config{Migrator: runner, Roles: roles})
	if err != nil {
		return err
	}
	dir, err := backup.OpenDir(o.Dir)
	if err != nil {
		return err
	}
	s, err := backup.New(backup.Config{Pool: owner, Tenants: tenants, Migrations: runner, Store: dir})
	if err != nil {
		return err
	}
	fmt.Println("begins")
	opts := backup.RestoreOptions{Replace: o.Replace}
	if o.Slug != "" {
		opts = backup.RestoreOptions{Slug: o.Slug, Domain: o.Slug + ".example.com"}
	}
	_, err = s.Restore(ctx, o.Name, opts)
	return err
}

// kill runs a restore and kills it after a time. It reports whether the restore ended before that.
func (o restoreOrder) kill(t *testing.T, after time.Duration) (ended bool) {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), restoreEnv+"="+string(text))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	_, err = out.Read(make([]byte, 1)) // it begins
	require.NoError(t, err)
	time.Sleep(after)
	_ = cmd.Process.Kill() // it may have ended
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		return false
	}
	require.NoError(t, err)
	return true
}

// ofAProcess is added to the URL of a process that will be killed.
const ofAProcess = "&application_name=killed"

// settle drops what dead processes have left, once their sessions have ended: the server finishes
// and commits a statement whose client has died. It also finishes an interrupted switch.
func (f *fixture) settle(t *testing.T, slug string) {
	t.Helper()
	for sessions := 1; sessions > 0; {
		require.NoError(t, f.owner.QueryRow(t.Context(), `select count(*) from pg_stat_activity
			where datname = current_database() and application_name = 'killed'`).Scan(&sessions))
	}
	for {
		report, err := f.tenants.SweepStagedSchemas(t.Context())
		require.NoError(t, err)
		if len(report.InUse) == 0 {
			break
		}
	}
	_, err := f.tenants.Resume(t.Context(), slug)
	if err != nil {
		assert.ErrorIs(t, err, tenancy.ErrStatus)
	}
}

func TestAKilledRestoreLosesNothingAndCanBeRunAgain(t *testing.T) {
	t.Parallel()
	if order := os.Getenv(restoreEnv); order != "" { // this is the process that is killed
		var o restoreOrder
		require.NoError(t, json.Unmarshal([]byte(order), &o))
		require.NoError(t, o.run(t.Context()))
		return
	}
	f := setup(t, pupils)
	dirName := t.TempDir()
	dir, err := backup.OpenDir(dirName)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, fmt.Sprintf(fillPupils, 20_000))
	s := f.service(t, backup.Config{Store: dir})
	info, err := s.Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	backedUp := f.content(t, "north")
	f.exec(t, tenant.Schema, "delete from marks; update pupils set name = 'live' where id < 100")
	live := f.content(t, "north")

	o := restoreOrder{
		URL: f.pg.URLAs(f.roles.Owner(), "o") + ofAProcess, Prefix: f.roles.Prefix(), Dir: dirName,
		Name: info.Name, Replace: "north",
	}
	whole := time.Now()
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Slug: "measured", Domain: "measured.example.com"})
	require.NoError(t, err)
	took := time.Since(whole)
	for range 8 {
		after := rand.N(took + took/4)
		ended := o.kill(t, after)
		f.settle(t, "north")
		retained, err := f.tenants.RetainedSchema(t.Context(), "north")
		switch {
		case err == nil: // the switch was complete
			f.expectContent(t, "north", backedUp)
			_, err = s.RevertRestore(t.Context(), "north", retained.Schema)
			require.NoError(t, err)
			again, err := f.tenants.RetainedSchema(t.Context(), "north")
			require.NoError(t, err)
			_, err = f.confirmed(t, s, "north", again.Schema)
			require.NoError(t, err)
		case ended:
			assert.Fail(t, "the restore ended without a result")
		}
		f.expectContent(t, "north", live)
		f.expectNoSides(t)
		require.False(t, t.Failed(), "killed after %v", after)
	}
	_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	f.expectContent(t, "north", backedUp)

	// Of a new tenant, either everything is there or nothing.
	o.Replace = ""
	for n := range 4 {
		o.Slug = fmt.Sprintf("new-%d", n)
		o.kill(t, rand.N(took))
		f.settle(t, "north")
		if _, err := f.tenants.BySlug(t.Context(), o.Slug); err == nil {
			f.expectContent(t, o.Slug, backedUp)
		} else {
			assert.ErrorIs(t, err, tenancy.ErrNotFound)
			_, err = s.Restore(t.Context(), info.Name, backup.RestoreOptions{Slug: o.Slug, Domain: o.Slug + ".example.com"})
			require.NoError(t, err)
			f.expectContent(t, o.Slug, backedUp)
		}
		f.expectNoSides(t)
	}
}
