package backup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/oryne/pgtenant/internal/postgres"
)

// dumpTool is pg_dump with its arguments and environment.
type dumpTool struct {
	path     string
	version  string
	args     []string
	env      []string
	password string // redacted in errors
}

// toolVersion matches "15" and "15.18" in "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
// and "19" and "19devel".
var toolVersion = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

// dumpTool finds the tool and compares its version with the server's: pg_dump dumps older servers,
// but no newer ones.
func (s *Service) dumpTool(ctx context.Context, args []string) (*dumpTool, error) {
	t := &dumpTool{path: cmp.Or(s.cfg.Dump.Tool, "pg_dump"), args: args}
	path, err := exec.LookPath(t.path)
	if err != nil {
		return nil, &ToolError{Tool: t.path, Err: err}
	}
	t.path = path
	if t.env, t.password, err = s.dumpEnv(ctx); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.command(ctx, &out, "--version"); err != nil {
		return nil, err
	}
	found := toolVersion.FindStringSubmatch(out.String())
	if found == nil {
		return nil, &ToolError{Tool: path, Err: errors.New("does not print the version of PostgreSQL's pg_dump")}
	}
	t.version = found[1]
	major, err := strconv.Atoi(found[2])
	if err != nil {
		return nil, &ToolError{Tool: path, Err: err}
	}
	var server int
	err = s.cfg.Pool.QueryRow(ctx, "select current_setting('server_version_num')::int / 10000").Scan(&server)
	if err == nil && major < server {
		err = &ToolVersionError{Tool: path, Version: major, Server: server}
	}
	return t, err
}

func (t *dumpTool) run(ctx context.Context, dst io.Writer) error {
	return t.command(ctx, dst, t.args...)
}

// killAfter is the time between SIGTERM and SIGKILL.
const killAfter = 5 * time.Second

// command runs the tool. When ctx ends, it sends SIGTERM, on which pg_dump cancels its query on the
// server, and after killAfter it kills the process.
func (t *dumpTool) command(ctx context.Context, dst io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, t.path, args...)
	stderr := &firstBytes{max: 2 << 10}
	stdout := &lastError{Writer: dst}
	cmd.Env, cmd.Stdout, cmd.Stderr = t.env, stdout, stderr
	cmd.WaitDelay = killAfter
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return cmd.Process.Kill() // the operating system has no signals
		}
		return nil
	}
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case stdout.err != nil: // the cause of the tool's failure
		return stdout.err
	case err != nil:
		return &ToolError{Tool: t.path, Message: t.redact(stderr.String()), Err: err}
	}
	return nil
}

// redact returns a message of the tool as one line, without the password.
func (t *dumpTool) redact(text string) string {
	if t.password != "" {
		text = strings.ReplaceAll(text, t.password, "[password]")
	}
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), unicode.IsControl), " ")
}

// firstBytes keeps the first max bytes.
type firstBytes struct {
	bytes.Buffer
	max int
}

func (b *firstBytes) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p[:min(len(p), b.max-b.Len())]) // never fails
	return len(p), nil
}

// lastError records the last error of Write.
type lastError struct {
	io.Writer
	err error
}

func (w *lastError) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// dumpEnv returns an environment with which libpq connects as the pool does, and the password in
// it. The password is in the environment because all users of the machine can read a process's
// arguments.
func (s *Service) dumpEnv(ctx context.Context) (env []string, password string, err error) {
	cfg := s.cfg.Pool.Config()
	conn := cfg.ConnConfig
	if cfg.BeforeConnect != nil { // it may set the password
		if err := cfg.BeforeConnect(ctx, conn); err != nil {
			return nil, "", err
		}
	}
	env = append(inheritedEnv(), postgres.LibpqEnv(conn)...)
	env = append(env,
		"PGAPPNAME=pgtenant dump",
		// With merge joins, pg_dump's query for dependencies of materialized views takes minutes in a
		// database with many schemas.
		"PGOPTIONS=-c enable_mergejoin=off",
	)
	if conn.Password != "" {
		env = append(env, "PGPASSWORD="+conn.Password)
	}
	env = append(env, s.cfg.Dump.Env...) // the last of several equal names takes effect
	for _, e := range env {
		if value, is := strings.CutPrefix(e, "PGPASSWORD="); is {
			password = value
		}
	}
	return env, password, nil
}

var (
	// ErrTool is wrapped by a [ToolError].
	ErrTool = errors.New("pg_dump failed")

	// ErrToolVersion is wrapped by a [ToolVersionError].
	ErrToolVersion = errors.New("pg_dump is older than the server")
)

// ToolError is returned by [Service.Dump] and [Service.DumpTo] if pg_dump was not found or failed.
type ToolError struct {
	Tool    string // path
	Message string // beginning of its standard error, as one line, without the password
	Err     error  // exit status, or the reason why it was not started
}

// Error returns the path, the cause and the tool's message.
func (e *ToolError) Error() string {
	text := fmt.Sprintf("%s: %v: %v", e.Tool, ErrTool, e.Err)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap returns [ErrTool] and the cause.
func (e *ToolError) Unwrap() []error { return []error{ErrTool, e.Err} }

// ToolVersionError is returned by [Service.Dump] and [Service.DumpTo] if the major version of
// pg_dump is lower than the server's. pg_dump cannot dump newer servers. Nothing was written.
type ToolVersionError struct {
	Tool    string // path
	Version int    // major version of the tool
	Server  int    // major version of the server
}

// Error returns both versions.
func (e *ToolVersionError) Error() string {
	return fmt.Sprintf("%s: %v: pg_dump has version %d, the server %d", e.Tool, ErrToolVersion, e.Version, e.Server)
}

// Unwrap returns [ErrToolVersion].
func (e *ToolVersionError) Unwrap() error { return ErrToolVersion }
