package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// A test of a crash, or of several processes, runs this test binary again.

// processEnv is the environment variable that contains the order of such a process.
const processEnv = "PGTENANT_TEST_AUDIT"

// order tells a process what to do.
type order struct {
	URL     string // of a writer's login
	Dir     string // of the spill
	Tenant  int64
	Entries int // the number of entries to record

	// Die says where the process kills itself. "spilled": after all entries are in the spill.
	// "replay": before the commit of a replayed transaction. "replayed": after that commit and before
	// the log knows of it. "": nowhere; it closes the log.
	Die   string
	Batch int // the number of transactions before the one that it dies at
}

// runProcess runs the order and returns the exit code.
func runProcess(text string) int {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	return 0
}

func (o order) run(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, o.URL)
	if err != nil {
		return err
	}
	defer pool.Close()
	cfg := audit.Config{Spill: audit.SpillConfig{Dir: o.Dir}, BatchSize: 10, Linger: time.Millisecond}
	l, err := audit.Open(ctx, &deadly{pool: pool, order: o}, cfg)
	if err != nil {
		return err
	}
	for i := range o.Entries {
		e := audit.Entry{Tenant: o.Tenant, Action: audit.Update, Actor: "process", Details: map[string]any{"n": i}}
		if err := l.Record(ctx, e); err != nil {
			return err
		}
	}
	if err := l.Flush(ctx); err != nil {
		return err
	}
	if o.Die == "spilled" {
		die()
	}
	if o.Die != "" { // the replay runs in the background and kills the process
		time.Sleep(time.Minute)
		return fmt.Errorf("lived on")
	}
	return l.Close(ctx)
}

// deadly is a pool in which the process kills itself.
type deadly struct {
	pool  *pgxpool.Pool
	order order
	count int
}

func (d *deadly) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := d.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	d.count++
	return &deadlyTx{Tx: tx, kind: d.order.Die, last: d.count > d.order.Batch}, nil
}

type deadlyTx struct {
	pgx.Tx
	kind string
	last bool
}

func (tx *deadlyTx) Commit(ctx context.Context) error {
	if tx.last && tx.kind == "replay" {
		die()
	}
	err := tx.Tx.Commit(ctx)
	if tx.last && tx.kind == "replayed" {
		die()
	}
	return err
}

// die kills the process with SIGKILL: it closes nothing and does not notify the server.
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

// start starts a process with the order.
func start(t testing.TB, o order) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), processEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	return cmd
}

// run runs a process. It expects the process to be killed if o.Die is set, and to succeed
// otherwise.
func run(t testing.TB, o order) {
	t.Helper()
	cmd := start(t, o)
	err := cmd.Wait()
	killed := !cmd.ProcessState.Exited()
	require.Equal(t, o.Die != "", killed, "%+v: %v", o, err)
	require.False(t, !killed && err != nil, "%+v: %v", o, err)
}
