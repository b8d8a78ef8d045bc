package backup_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// ages is a period so long that no tenant becomes due by the clock during a test.
const ages = 100_000 * time.Hour

// scheduled returns a fixture with the table of runs and tenants t1 to tn.
func scheduled(t testing.TB, n int) (*fixture, []tenancy.Tenant) {
	t.Helper()
	f := setup(t, notes)
	runner, err := migrate.New(f.owner, migrate.Config{Shared: []migrate.Source{
		{Name: "tenancy", FS: tenancy.Migrations()}, {Name: "backup", FS: backup.Migrations(), Base: backup.Base},
	}})
	require.NoError(t, err)
	_, err = runner.Up(t.Context(), schemactx.Public)
	require.NoError(t, err)
	var tenants []tenancy.Tenant
	for i := range n {
		tenant := f.create(t, "t"+string(rune('1'+i)))
		f.exec(t, tenant.Schema, "insert into notes (body) values ('of "+tenant.Slug+"')")
		tenants = append(tenants, tenant)
	}
	return f, tenants
}

// schedule returns a schedule with the period ages, unless cfg has one.
func (f *fixture) schedule(t testing.TB, b backup.Config, cfg backup.ScheduleConfig) *backup.Schedule {
	t.Helper()
	if cfg.Period == 0 {
		cfg.Period = ages
	}
	c, err := backup.NewSchedule(f.service(t, b), cfg)
	require.NoError(t, err)
	return c
}

// again makes everything due once more.
func (f *fixture) again(t testing.TB) {
	t.Helper()
	f.exec(t, "public", "update public.backup_runs set slot = slot - interval '1000000 hours'")
}

func expectDone(t testing.TB, c *backup.Schedule, want backup.ScheduleReport) error {
	t.Helper()
	got, err := c.RunDue(t.Context())
	assert.Equal(t, want, got, err)
	assert.Equal(t, want.Failed > 0, err != nil, err)
	return err
}

// state returns the state of one tenant's runs.
func state(t testing.TB, c *backup.Schedule, tenant int64, kind backup.RunKind) backup.RunState {
	t.Helper()
	states, err := c.States(t.Context())
	require.NoError(t, err)
	for _, s := range states {
		if s.TenantID == tenant && s.Kind == kind {
			return s
		}
	}
	return backup.RunState{}
}

// count returns the number of verified backups of each tenant.
func (f *fixture) count(t testing.TB) map[string]int {
	t.Helper()
	n := make(map[string]int)
	for info, err := range f.service(t, backup.Config{}).Backups(t.Context(), 0) {
		require.NoError(t, err)
		n[info.Slug]++
	}
	return n
}

// scheduleEnv tells a process of this binary to run a schedule once, and at which event to die.
const scheduleEnv = "PGTENANT_TEST_SCHEDULE"

// runSchedule is the code of that process. It reports that it is ready and begins when told to.
func runSchedule(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), os.Getenv(killURL))
	require.NoError(t, err)
	defer pool.Close()
	roles, err := schemactx.NewRoleNames(os.Getenv(killPrefix))
	require.NoError(t, err)
	f := &fixture{pg: &pgtest.DB{Pool: pool}, roles: roles, owner: pool}
	f.connect(t, notes)
	f.dir, err = backup.OpenDir(os.Getenv(killDir))
	require.NoError(t, err)
	var once sync.Once
	c := f.schedule(t, backup.Config{Progress: func(_ context.Context, e backup.Event) {
		if string(e.Kind) == os.Getenv(scheduleEnv) {
			once.Do(func() { die(t) })
		}
	}}, backup.ScheduleConfig{Workers: 3})
	_, err = os.Stdout.WriteString("ready\n")
	require.NoError(t, err)
	_, err = os.Stdin.Read(make([]byte, 1))
	require.NoError(t, err)
	_, err = c.RunDue(t.Context())
	require.NoError(t, err)
}

// process is a process that waits to begin.
type process struct {
	*exec.Cmd
	begin func()
}

func (f *fixture) startSchedule(t *testing.T, dieAt string) *process {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), killURL+"="+f.pg.URLAs(f.roles.Owner(), "o"), killPrefix+"="+f.pg.RolePrefix,
		killDir+"="+f.path,
		scheduleEnv+"="+dieAt)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	ready := make([]byte, len("ready\n"))
	n, err := stdout.Read(ready)
	require.NoError(t, err)
	require.Truef(t, strings.HasPrefix("ready\n", string(ready[:n])), "the process printed %q", ready[:n])
	return &process{cmd, func() {
		_, err := stdin.Write([]byte("x"))
		require.NoError(t, err)
	}}
}
