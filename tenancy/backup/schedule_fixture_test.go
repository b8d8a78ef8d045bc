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

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A test's periods are so long that no tenant's moment falls into the test.
const ages = 100_000 * time.Hour

// scheduled returns a fixture with the table of runs and tenants t1 to tn.
func scheduled(t testing.TB, n int) (*fixture, []tenancy.Tenant) {
	t.Helper()
	f := setup(t, notes)
	runner, err := migrate.New(f.owner, migrate.Config{Shared: []migrate.Source{
		{Name: "tenancy", FS: tenancy.Migrations()}, {Name: "backup", FS: backup.Migrations(), Base: backup.Base},
	}})
	check(t, err)
	_, err = runner.Up(t.Context(), schemactx.Public)
	check(t, err)
	var tenants []tenancy.Tenant
	for i := range n {
		tenant := f.create(t, "t"+string(rune('1'+i)))
		f.exec(t, tenant.Schema, "insert into notes (body) values ('of "+tenant.Slug+"')")
		tenants = append(tenants, tenant)
	}
	return f, tenants
}

// schedule is one whose periods are long.
func (f *fixture) schedule(t testing.TB, b backup.Config, cfg backup.ScheduleConfig) *backup.Schedule {
	t.Helper()
	if cfg.Period == 0 {
		cfg.Period = ages
	}
	c, err := backup.NewSchedule(f.service(t, b), cfg)
	check(t, err)
	return c
}

// again has everything due once more.
func (f *fixture) again(t testing.TB) {
	t.Helper()
	f.exec(t, "public", "update public.backup_runs set slot = slot - interval '1000000 hours'")
}

func expectDone(t testing.TB, c *backup.Schedule, want backup.ScheduleReport) error {
	t.Helper()
	got, err := c.RunDue(t.Context())
	if got != want || (err != nil) != (want.Failed > 0) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	return err
}

// state is that of one tenant's runs.
func state(t testing.TB, c *backup.Schedule, tenant int64, kind backup.RunKind) backup.RunState {
	t.Helper()
	states, err := c.States(t.Context())
	check(t, err)
	for _, s := range states {
		if s.TenantID == tenant && s.Kind == kind {
			return s
		}
	}
	return backup.RunState{}
}

// count returns how many verified backups each tenant has.
func (f *fixture) count(t testing.TB) map[string]int {
	t.Helper()
	n := make(map[string]int)
	for info, err := range f.service(t, backup.Config{}).Backups(t.Context(), 0) {
		check(t, err)
		n[info.Slug]++
	}
	return n
}

// scheduleEnv tells a process of this binary to run a schedule once, and where to die.
const scheduleEnv = "PGTENANT_TEST_SCHEDULE"

// runSchedule is that process. It says when it is ready and begins when it is told to.
func runSchedule(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), os.Getenv(killURL))
	check(t, err)
	defer pool.Close()
	roles, err := schemactx.NewRoleNames(os.Getenv(killPrefix))
	check(t, err)
	f := &fixture{pg: &pgtest.DB{Pool: pool}, roles: roles, owner: pool}
	f.connect(t, notes)
	f.dir, err = backup.OpenDir(os.Getenv(killDir))
	check(t, err)
	var once sync.Once
	c := f.schedule(t, backup.Config{Progress: func(_ context.Context, e backup.Event) {
		if string(e.Kind) == os.Getenv(scheduleEnv) {
			once.Do(func() { die(t) })
		}
	}}, backup.ScheduleConfig{Workers: 3})
	_, err = os.Stdout.WriteString("ready\n")
	check(t, err)
	_, err = os.Stdin.Read(make([]byte, 1))
	check(t, err)
	_, err = c.RunDue(t.Context())
	check(t, err)
}

// process is one that waits to begin.
type process struct {
	*exec.Cmd
	begin func()
}

func (f *fixture) startSchedule(t *testing.T, dieAt string) *process {
	t.Helper()
	binary, err := os.Executable()
	check(t, err)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), killURL+"="+f.pg.URLAs(f.roles.Owner(), "o"), killPrefix+"="+f.pg.RolePrefix, killDir+"="+f.path,
		scheduleEnv+"="+dieAt)
	stdin, err := cmd.StdinPipe()
	check(t, err)
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	cmd.Stderr = os.Stderr
	check(t, cmd.Start())
	ready := make([]byte, len("ready\n"))
	if n, err := stdout.Read(ready); err != nil || !strings.HasPrefix("ready\n", string(ready[:n])) {
		t.Fatalf("process says %q, %v", ready[:n], err)
	}
	return &process{cmd, func() {
		_, err := stdin.Write([]byte("x"))
		check(t, err)
	}}
}
