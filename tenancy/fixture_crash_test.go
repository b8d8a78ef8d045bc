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
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// A crash test runs this test binary again, as a process that performs one operation and kills
// itself before or after one of its steps. Only hooks are used: the library has no code for it.

// crashEnv is the environment variable with the crash, as JSON. TestMain runs it.
const crashEnv = "PGTENANT_TEST_CRASH"

// crash describes the operation of a process and where the process kills itself.
type crash struct {
	URL, Prefix string // of the database as the owner role, and of its roles
	Op          tenancy.Op
	Slug        string
	Token       string // of a drop
	Step        int    // counted from 0
	StepName    string // instead of Step
	After       bool   // whether the process dies after the step, and not before it

	owner *pgxpool.Pool // in the process
}

func (c crash) String() string {
	return fmt.Sprintf("%s, step %d %s, after %t", c.Op, c.Step, c.StepName, c.After)
}

// crashable are the operations of such processes.
var crashable = map[tenancy.Op]func(ctx context.Context, m *tenancy.Manager, c crash) error{
	tenancy.OpCreate: func(ctx context.Context, m *tenancy.Manager, c crash) error { return create(ctx, m, c.Slug) },
	tenancy.OpResume: func(ctx context.Context, m *tenancy.Manager, c crash) error { return resume(ctx, m, c.Slug) },
	tenancy.OpRename: func(ctx context.Context, m *tenancy.Manager, c crash) error { return rename(ctx, m, c.Slug) },
	tenancy.OpMoveDomain: func(ctx context.Context, m *tenancy.Manager, c crash) error {
		return moveDomain(ctx, m, c.Slug)
	},
	tenancy.OpReplace: func(ctx context.Context, m *tenancy.Manager, c crash) error {
		s, err := m.StageReplacement(ctx, c.Slug)
		if err != nil {
			return err
		}
		runner, err := migrate.New(c.owner, migrations)
		if err == nil {
			err = migrateAndInsertNote(ctx, runner, c.owner, s.Schema(), "new")
		}
		if err == nil {
			_, err = s.Replace(ctx)
		}
		return errors.Join(err, s.Close(ctx))
	},
	tenancy.OpRevert: func(ctx context.Context, m *tenancy.Manager, c crash) error {
		retained, err := m.RetainedSchema(ctx, c.Slug)
		if err == nil {
			_, err = m.RevertReplacement(ctx, c.Slug, retained.Schema)
		}
		return err
	},
	tenancy.OpConfirm: func(ctx context.Context, m *tenancy.Manager, c crash) error {
		retained, err := m.RetainedSchema(ctx, c.Slug)
		if err == nil {
			_, err = approveAndConfirm(ctx, m, c.Slug, retained.Schema)
		}
		return err
	},
	tenancy.OpDrop: func(ctx context.Context, m *tenancy.Manager, c crash) error {
		_, err := m.Drop(ctx, tenancy.DropParams{Slug: c.Slug, Token: c.Token, Actor: actor})
		return err
	},
	tenancy.OpStock: func(ctx context.Context, m *tenancy.Manager, _ crash) error {
		_, err := m.Refill(ctx)
		return err
	},
	tenancy.OpAssignStocked: func(ctx context.Context, m *tenancy.Manager, c crash) error {
		_, err := m.AssignStocked(ctx, createParams(c.Slug))
		return err
	},
}

func create(ctx context.Context, m *tenancy.Manager, slug string) error {
	_, err := m.Create(ctx, createParams(slug))
	return err
}

func resume(ctx context.Context, m *tenancy.Manager, slug string) error {
	_, err := m.Resume(ctx, slug)
	return err
}

func rename(ctx context.Context, m *tenancy.Manager, slug string) error {
	_, err := m.Rename(ctx, slug, tenancy.RenameParams{Name: "New", Slug: "new-" + slug, Schema: "new_" + slug})
	return err
}

func moveDomain(ctx context.Context, m *tenancy.Manager, slug string) error {
	_, err := m.MoveDomain(ctx, tenancy.MoveDomainParams{
		Host: slug + ".example.com", From: slug, To: "other", NewPrimary: "alias." + slug + ".example.com",
	})
	return err
}

// The exit codes of a process that did not kill itself.
const (
	exitFailed    = 3
	exitCompleted = 4 // the operation has no such step
)

// runCrash is the main function of the process.
func runCrash(order string) (code int) {
	var c crash
	err := json.Unmarshal([]byte(order), &c)
	if err == nil {
		err = c.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return exitCompleted
}

func (c crash) run(ctx context.Context) (err error) {
	c.owner, err = pgxpool.New(ctx, c.URL)
	if err != nil {
		return err
	}
	defer c.owner.Close()
	roles, err := schemactx.NewRoleNames(c.Prefix)
	if err != nil {
		return err
	}
	runner, err := migrate.New(c.owner, migrations)
	if err != nil {
		return err
	}
	m, err := tenancy.New(c.owner, tenancy.Config{
		Migrator: runner, Roles: roles, Hooks: c.hooks(),
		Drop:  tenancy.DropConfig{Enabled: true, FourEyes: c.Op == tenancy.OpConfirm},
		Stock: tenancy.StockConfig{Size: 1, StockOnly: true},
	})
	if err != nil {
		return err
	}
	return crashable[c.Op](ctx, m, c)
}

func (c crash) hooks() tenancy.Hooks {
	step := -1
	reached := func(name string) bool {
		if c.StepName != "" {
			return name == c.StepName
		}
		return step == c.Step
	}
	return tenancy.Hooks{
		Before: func(_ context.Context, d tenancy.StepData) error {
			if step++; reached(d.Step) && !c.After {
				killSelf()
			}
			return nil
		},
		After: func(_ context.Context, d tenancy.StepData) {
			if reached(d.Step) && c.After {
				killSelf()
			}
		},
	}
}

// killSelf ends the process by SIGKILL: it closes no connection and sends nothing to the server.
func killSelf() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// recoverTimeout bounds the operations after a crash. They would wait forever for a lock that is
// not released when its process ends.
const recoverTimeout = time.Minute

// killAtEachStep kills a process before and after each step of op. Each process has another tenant,
// which prepare creates. complete must complete the operation whatever the process has done. It
// returns the number of steps.
func (f *fixture) killAtEachStep(
	t *testing.T, op tenancy.Op, prepare func(slug string), complete func(ctx context.Context, c crash),
) (steps int) {
	t.Helper()
	for n := range 20 {
		for _, after := range []bool{false, true} {
			c := crash{Op: op, Slug: fmt.Sprintf("c%d%t", n, after), Step: n, After: after}
			prepare(c.Slug)
			if !f.kill(t, c) {
				return n
			}
			ctx, cancel := context.WithTimeout(t.Context(), recoverTimeout)
			complete(ctx, c)
			cancel()
			require.False(t, t.Failed(), "after the process was killed: %v", c)
		}
	}
	require.Fail(t, "the operation does not end after 20 steps")
	return 0
}

// kill runs a process. It reports whether the process was killed: false means that the operation
// has completed without such a step.
func (f *fixture) kill(t *testing.T, c crash) bool {
	t.Helper()
	c.URL, c.Prefix = f.pg.URLAs(f.roles.Owner(), "o"), f.roles.Prefix()
	order, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+string(order))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s: %s", c, out)
	if exit.ExitCode() == exitCompleted {
		return false
	}
	require.False(t, exit.Exited(), "the process was not killed: %s: %v: %s", c, err, out)
	return true
}
