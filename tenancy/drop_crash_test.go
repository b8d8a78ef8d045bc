package tenancy_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// victim is what a process needs that is to be killed: this binary, run again for one test.
type victim struct {
	database, prefix string
	when             string // "before schema": the point at which it kills itself
	token            string
}

const victimEnv = "PGTENANT_TEST_VICTIM_"

// theVictim returns what this process is to do and die of, and whether it is one.
func theVictim() (victim, bool) {
	get := func(name string) string { return os.Getenv(victimEnv + name) }
	return victim{get("DATABASE"), get("PREFIX"), get("WHEN"), get("TOKEN")}, get("DATABASE") != ""
}

// run runs the test named by t in a process of its own, which has to be killed.
func (v victim) run(t *testing.T, test string) {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), victimEnv+"DATABASE="+v.database, victimEnv+"PREFIX="+v.prefix,
		victimEnv+"WHEN="+v.when, victimEnv+"TOKEN="+v.token)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s: %v\n%s", v.when, err, out)
	require.False(t, exit.Exited(), "%s: %v\n%s", v.when, err, out)
}

// manager returns one that kills the process when it is time.
func (v victim) manager(t *testing.T, change func(cfg *tenancy.Config)) *tenancy.Manager {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), v.database)
	require.NoError(t, err)
	roles, err := schemactx.NewRoleNames(v.prefix)
	require.NoError(t, err)
	die := func(when string) {
		if when == v.when {
			self, err := os.FindProcess(os.Getpid())
			require.NoError(t, err)
			require.NoError(t, self.Kill())
			select {}
		}
	}
	cfg := tenancy.Config{Migrator: notesRunner(t, pool), Roles: roles, Hooks: tenancy.Hooks{
		Before: func(_ context.Context, data tenancy.StepData) error {
			die("before " + data.Step)
			return nil
		},
		After: func(_ context.Context, data tenancy.StepData) { die("after " + data.Step) },
	}}
	change(&cfg)
	m, err := tenancy.New(pool, cfg)
	require.NoError(t, err)
	return m
}

// notesRunner migrates tenants to a table notes, as that of the fixture.
func notesRunner(t testing.TB, pool *pgxpool.Pool) *migrate.Runner {
	t.Helper()
	runner, err := migrate.New(pool, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "test", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	})
	require.NoError(t, err)
	return runner
}

func (f *fixture) victim(when string) victim {
	return victim{database: f.pg.URLAs(f.roles.Owner(), "o"), prefix: f.pg.RolePrefix, when: when}
}

func TestKilledDropContinues(t *testing.T) {
	t.Parallel()
	if v, ok := theVictim(); ok {
		m := v.manager(t, func(cfg *tenancy.Config) { cfg.Drop.Enabled = true })
		_, err := m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: v.token, Actor: actor})
		require.Fail(t, "the process was not killed", "%v", err)
	}
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	b := f.create(t, "b")
	for _, when := range []string{"before mark", "after mark", "before schema", "after schema", "before delete", "after delete"} {
		a := f.create(t, "a")
		f.expectUsable(t, a)
		params := request(t, m, "a")
		v := f.victim(when)
		v.token = params.Token
		v.run(t, t.Name())

		found, err := m.BySlug(t.Context(), "a")
		if when == "after delete" {
			assert.ErrorIs(t, err, tenancy.ErrNotFound)
		} else {
			require.NoError(t, err)
			assert.Equal(t, when == "before mark", found.Status == tenancy.Active, "%s: status %s", when, found.Status)
		}
		if err == nil {
			_, err = m.Drop(t.Context(), params)
			require.NoError(t, err)
		}
		assert.Empty(t, f.leftovers(t, a), when)
		f.expectUsable(t, b)
	}
}
