package tenancy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
)

// A test of a crash runs this test binary once more, which does an operation and kills itself at
// one of its steps; no code of the library knows of that.

// crashEnv is the variable with the order for a process that is to die.
const crashEnv = "PGTENANT_TEST_CRASH"

// crash says where a process is to die.
type crash struct {
	URL, Prefix string // of the database, as its owner
	Op          tenancy.Op
	Slug        string
	Step        int // the first is 0
	After       bool
}

func (c crash) String() string {
	return fmt.Sprintf("%s, step %d, after %t", c.Op, c.Step, c.After)
}

// The operations that are interrupted. Each is for a tenant of the slug.
var crashable = map[tenancy.Op]func(ctx context.Context, m *tenancy.Manager, slug string) error{
	tenancy.OpCreate: func(ctx context.Context, m *tenancy.Manager, slug string) error {
		_, err := m.Create(ctx, tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		return err
	},
	tenancy.OpResume: func(ctx context.Context, m *tenancy.Manager, slug string) error {
		_, err := m.Resume(ctx, slug)
		return err
	},
	tenancy.OpRename: func(ctx context.Context, m *tenancy.Manager, slug string) error {
		_, err := m.Rename(ctx, slug, tenancy.RenameParams{Name: "New", Slug: "new-" + slug, Schema: "new_" + slug})
		return err
	},
	tenancy.OpMoveDomain: func(ctx context.Context, m *tenancy.Manager, slug string) error {
		_, err := m.MoveDomain(ctx, tenancy.MoveDomainParams{
			Host: slug + ".example.com", From: slug, To: "other", NewPrimary: "alias." + slug + ".example.com",
		})
		return err
	},
	tenancy.OpReplace: func(ctx context.Context, m *tenancy.Manager, slug string) error {
		s, err := m.StageReplacement(ctx, slug)
		if err != nil {
			return err
		}
		owner := ctx.Value(crashOwner{}).(*pgxpool.Pool)
		runner, err := migrate.New(owner, migrations)
		if err == nil {
			err = migrateAndInsertNote(ctx, runner, owner, s.Schema(), "new")
		}
		if err == nil {
			_, err = s.Replace(ctx)
		}
		return errors.Join(err, s.Close(ctx))
	},
	tenancy.OpRevert: func(ctx context.Context, m *tenancy.Manager, slug string) error {
		_, err := m.RevertReplacement(ctx, slug, ctx.Value(crashRetained{}).(string))
		return err
	},
	tenancy.OpConfirm: func(ctx context.Context, m *tenancy.Manager, slug string) error {
		_, err := approveAndConfirm(ctx, m, slug, ctx.Value(crashRetained{}).(string))
		return err
	},
}

// What some operations need besides: the owner's pool, and the name of the schema that is retained
// before it begins.
type (
	crashOwner    struct{}
	crashRetained struct{}
)

// The ends of a process that was not killed.
const (
	exitFailed    = 3
	exitCompleted = 4 // there was no such step
)

// runCrash is the process.
func runCrash(order string) (code int) {
	var c crash
	if err := json.Unmarshal([]byte(order), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	if err := c.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return exitCompleted
}

func (c crash) run(ctx context.Context) error {
	owner, err := pgxpool.New(ctx, c.URL)
	if err != nil {
		return err
	}
	defer owner.Close()
	roles, err := schemactx.NewRoleNames(c.Prefix)
	if err != nil {
		return err
	}
	runner, err := migrate.New(owner, migrations)
	if err != nil {
		return err
	}
	m, err := tenancy.New(owner, tenancy.Config{
		Migrator: runner, Roles: roles, Hooks: c.hooks(), Drop: tenancy.DropConfig{Enabled: true, FourEyes: true},
	})
	if err != nil {
		return err
	}
	ctx = context.WithValue(ctx, crashOwner{}, owner)
	if retained, err := m.RetainedSchema(ctx, c.Slug); err == nil {
		ctx = context.WithValue(ctx, crashRetained{}, retained.Schema)
	}
	return crashable[c.Op](ctx, m, c.Slug)
}

func (c crash) hooks() tenancy.Hooks {
	step := -1
	return tenancy.Hooks{
		Before: func(context.Context, tenancy.StepData) error {
			if step++; step == c.Step && !c.After {
				die()
			}
			return nil
		},
		After: func(context.Context, tenancy.StepData) {
			if step == c.Step && c.After {
				die()
			}
		},
	}
}

// die is SIGKILL: nothing is closed, nothing is said to the server.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// againTimeout bounds an operation behind a crash: it would wait forever for a lock that has
// outlived its process.
const againTimeout = time.Minute

// killAtEachStep interrupts op before and after each of its steps, every time on another tenant,
// which prepare makes; again has to lead to the end whatever was done. It returns the number of
// steps.
func (f *fixture) killAtEachStep(
	t *testing.T, op tenancy.Op, prepare func(slug string), again func(ctx context.Context, c crash),
) (steps int) {
	t.Helper()
	for n := range 20 {
		for _, after := range []bool{false, true} {
			c := crash{
				URL: f.pg.URLAs(
					f.roles.Owner(),
					"o",
				),
				Prefix: f.roles.Prefix(),
				Op:     op,
				Slug:   fmt.Sprintf("c%d%t", n, after),
				Step:   n,
				After:  after,
			}
			prepare(c.Slug)
			if !f.kill(t, c) {
				return n
			}
			ctx, cancel := context.WithTimeout(t.Context(), againTimeout)
			again(ctx, c)
			cancel()
			require.False(t, t.Failed(), "failed after the process was killed: %v", c)
		}
	}
	require.Fail(t, "the operation has more steps than the test expects")
	return 0
}

// kill reports whether the process died at its step.
func (f *fixture) kill(t *testing.T, c crash) bool {
	t.Helper()
	order, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+string(order))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s: %v: %s", c, err, out)
	switch exit.ExitCode() {
	case exitCompleted:
		return false
	case exitFailed, 0, 2: // 2: a panic
		require.Fail(t, "the process was not killed", "%s: %v: %s", c, err, out)
	}
	return true
}

func TestKilledCreateIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpCreate, func(string) {}, func(ctx context.Context, c crash) {
		assert.ErrorIs(t, crashable[tenancy.OpCreate](ctx, f.tenants, c.Slug), tenancy.ErrSlugTaken)
		f.expectResumed(ctx, t, c)
	})
	assert.Equal(t, 4, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}

func TestKilledResumeIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("not yet")
	broken := f.manager(
		t,
		tenancy.Config{Hooks: tenancy.Hooks{Before: func(context.Context, tenancy.StepData) error { return injected }}},
	)
	steps := f.killAtEachStep(t, tenancy.OpResume, func(slug string) {
		assert.ErrorIs(t, crashable[tenancy.OpCreate](t.Context(), broken, slug), injected)
	}, func(ctx context.Context, c crash) { f.expectResumed(ctx, t, c) })
	assert.Equal(t, 4, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}

// expectResumed resumes a tenant that is to be active then. Behind the last step it is so already.
func (f *fixture) expectResumed(ctx context.Context, t *testing.T, c crash) {
	t.Helper()
	_, err := f.tenants.Resume(ctx, c.Slug)
	if c.Step == 3 && c.After {
		assert.ErrorIs(t, err, tenancy.ErrStatus)
	} else {
		require.NoError(t, err)
	}
	got, err := f.tenants.BySlug(ctx, c.Slug)
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, got.Status, "resumed %+v", got)
	assert.Nil(t, got.Operation, "resumed %+v", got)
	f.insertNote(t, got, c.Slug)
	f.expectNote(t, got, c.Slug)
}

func TestKilledRenameIsRepeated(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpRename, f.withNote(t), func(ctx context.Context, c crash) {
		require.NoError(t, crashable[tenancy.OpRename](ctx, f.tenants, c.Slug))
		f.expectRenamed(t, c.Slug)
	})
	assert.Equal(t, 3, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}

func TestKilledRenameIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.killAtEachStep(t, tenancy.OpRename, f.withNote(t), func(ctx context.Context, c crash) {
		switch {
		case c.Step == 0 && !c.After: // nothing has happened
			assert.ErrorIs(t, crashable[tenancy.OpResume](ctx, f.tenants, c.Slug), tenancy.ErrStatus)
			require.NoError(t, crashable[tenancy.OpRename](ctx, f.tenants, c.Slug))
		case c.Step == 2 && c.After: // everything has
			assert.ErrorIs(t, crashable[tenancy.OpResume](ctx, f.tenants, "new-"+c.Slug), tenancy.ErrStatus)
		default:
			require.NoError(t, crashable[tenancy.OpResume](ctx, f.tenants, "new-"+c.Slug))
		}
		f.expectRenamed(t, c.Slug)
	})
	f.expectInvariants(t)
}

func TestKilledResumeOfRenameIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	steps := f.killAtEachStep(t, tenancy.OpResume, func(slug string) {
		f.withNote(t)(slug)
		f.stopRename(t, slug, "new_"+slug)
	}, func(ctx context.Context, c crash) {
		err := crashable[tenancy.OpResume](ctx, f.tenants, c.Slug)
		if c.Step == 1 && c.After {
			assert.ErrorIs(t, err, tenancy.ErrStatus)
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, crashable[tenancy.OpRename](ctx, f.tenants, c.Slug))
		f.expectRenamed(t, c.Slug)
	})
	assert.Equal(t, 2, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}

// withNote makes tenants that have a row to lose.
func (f *fixture) withNote(t *testing.T) (prepare func(slug string)) {
	return func(slug string) { f.insertNote(t, f.create(t, slug), slug) }
}

func (f *fixture) expectRenamed(t *testing.T, slug string) {
	t.Helper()
	got, err := f.tenants.BySlug(t.Context(), "new-"+slug)
	require.NoError(t, err)
	assert.Equal(t, "New", got.Name, "renamed %+v", got)
	assert.Equal(t, "new_"+slug, got.Schema, "renamed %+v", got)
	assert.Nil(t, got.Operation, "renamed %+v", got)
	assert.Equal(t, tenancy.Active, got.Status, "renamed %+v", got)
	f.expectNote(t, got, slug)
}

func TestKilledDomainMoveIsRepeated(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "other")
	steps := f.killAtEachStep(t, tenancy.OpMoveDomain, func(slug string) {
		f.create(t, slug)
		_, err := f.tenants.AddDomain(t.Context(), slug, "alias."+slug+".example.com")
		require.NoError(t, err)
	}, func(ctx context.Context, c crash) {
		require.NoError(t, crashable[tenancy.OpMoveDomain](ctx, f.tenants, c.Slug))
		f.expectHosts(t, c.Slug, "alias."+c.Slug+"!")
		found, err := f.registry.ByHost(ctx, c.Slug+".example.com")
		require.NoError(t, err)
		assert.Equal(t, "other", found.Slug, "moved to %q", found.Slug)
	})
	assert.Equal(t, 1, steps, "killed at %d steps", steps)
	f.expectInvariants(t)
}
