//go:build unix

package manage_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/manage"
)

// talk is the input of a session. Each text is typed after the program has written the text in
// when.
type talk []struct{ when, typed string }

func answer(question, typed string) talk { return talk{{question, typed + "\n"}} }

// terminal runs a command on a terminal.
func (p program) terminal(t *testing.T, talk talk, env []string, args ...string) (screen string, code int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "school"
	cmd.Env = append(os.Environ(), "TERM=xterm", "SCHOOL_TERMINAL=1")
	for name, value := range p.env() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	require.NoError(t, err)
	defer tty.Close()
	var seen bytes.Buffer
	in := bufio.NewReader(tty)
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.EIO) || errors.Is(err, fs.ErrClosed) {
			break // the program has ended
		}
		require.NoError(t, err)
		seen.WriteByte(b)
		if len(talk) > 0 && bytes.HasSuffix(seen.Bytes(), []byte(talk[0].when)) {
			_, err := io.WriteString(tty, talk[0].typed)
			require.NoError(t, err)
			talk = talk[1:]
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		require.NoError(t, err)
	}
	return strings.ReplaceAll(seen.String(), "\r\n", "\n"), code
}

func TestADropPrintsTheLossesAndAsksForTheSlug(t *testing.T) {
	t.Parallel()
	p, pg := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north")
	_, err := pg.Pool.Exec(t.Context(), "insert into tenant_1.students (name) select 'x' from generate_series(1, 50)")
	require.NoError(t, err)
	_, err = pg.Pool.Exec(t.Context(), "analyze tenant_1.students")
	require.NoError(t, err)

	screen, code := p.terminal(t, nil, nil, "backup", "north")
	assert.Equal(t, manage.CodeOK, code, "a backup: exit code %d: %q", code, screen)
	assert.Contains(t, screen, "backing up north ", "a backup: exit code %d", code)
	assert.Contains(t, screen, "Backed up north: 50 rows", "a backup: exit code %d", code)
	screen, code = p.terminal(t, answer("Type north to continue: ", "yes"), nil, "tenant", "drop", "north")
	assert.Equal(t, manage.CodeUnconfirmed, code, "another answer: exit code %d: %s", code, screen)
	for _, want := range []string{
		"north will be dropped permanently:", "3 tables with about 53 rows", "1 domain (north.example.com)",
		"the last backup was made less than a minute ago",
	} {
		assert.Contains(t, screen, want, "it does not say %q", want)
	}
	p.ok(t, "tenant", "show", "north")
	screen, code = p.terminal(t, answer("Type north to continue: ", "north"), nil, "tenant", "drop", "north")
	assert.Equal(t, manage.CodeOK, code, "the slug: exit code %d: %s", code, screen)
	assert.Contains(t, screen, "Dropped north, schema tenant_1.", "the slug: exit code %d", code)
	p.fails(t, manage.CodeMissing, "tenant", "show", "north")
}

// If another person has to approve, a drop at the terminal says how it continues.
func TestADropThatNeedsApprovalSaysHowToContinue(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north")
	screen, code := p.terminal(
		t,
		answer("Type north to continue: ", "north"),
		[]string{"SCHOOL_FOUR_EYES=1"},
		"tenant",
		"drop",
		"north",
	)
	assert.Equal(t, manage.CodeFailed, code, "exit code %d: %s", code, screen)
	assert.Contains(t, screen,
		"Another person must approve request 1: 'school tenant drop approve 1'. Then confirm with this token: ",
		"exit code %d", code)
	p.ok(t, "tenant", "show", "north")
}

func TestATerminalGetsABarAndColours(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	for _, slug := range []string{"a", "b", "c"} {
		p.ok(t, "tenant", "create", "--subdomain", slug)
	}
	p.migrations = t.TempDir()
	require.NoError(
		t,
		os.WriteFile(
			p.migrations+"/00001_more.sql",
			[]byte("-- +goose Up\ncreate table more (id bigint);\nselect pg_sleep(0.2);\n"),
			0o600,
		),
	)
	screen, code := p.terminal(t, nil, []string{"SCHOOL_MIGRATIONS=" + p.migrations}, "migrate", "--parallel", "1")
	assert.Equal(t, manage.CodeOK, code, "exit code %d: %q", code, screen)
	assert.Contains(t, screen, "[=", "exit code %d", code)
	assert.Contains(t, screen, "migrating 2 of 3 schemas, ", "exit code %d", code)
	assert.Contains(t, screen, "/s", "exit code %d", code)
	assert.Contains(t, screen, "3 migrated", "there is no report behind the bar")
	screen, _ = p.terminal(t, nil, nil, "tenant", "list")
	assert.Contains(t, screen, "\x1b[32mactive\x1b[0m", "no colours")
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		screen, _ = p.terminal(t, nil, []string{env}, "tenant", "list")
		assert.NotContains(t, screen, "\x1b", env)
		assert.Contains(t, screen, "active", env)
	}
	got := p.run(t, "", "tenant", "list")
	assert.NotContains(t, got.stdout+got.stderr, "\x1b", "without a terminal: %q %q", got.stdout, got.stderr)
}

// psql handles Ctrl-C, however often it is pressed.
func TestAShellSurvivesCtrlC(t *testing.T) {
	t.Parallel()
	needPsql(t)
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north")
	const prompt = "tenant_1=> "
	screen, code := p.terminal(t, talk{
		{prompt, "\x03"}, {prompt, "\x03"}, {prompt, "select 'al' || 'ive';\n"}, {prompt, "\\q\n"},
	}, nil, "shell", "north")
	assert.Equal(t, manage.CodeOK, code, "exit code %d: %q", code, screen)
	assert.Contains(t, screen, "alive", "exit code %d", code)
	assert.Contains(t, screen, "This session can take the roles of other tenants by SET ROLE",
		"it does not say how the scope can be left")
}
