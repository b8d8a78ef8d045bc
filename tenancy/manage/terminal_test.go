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

	"github.com/oryne/pgtenant/tenancy/manage"
)

// talk is what is typed, each when the program has written what comes before it.
type talk []struct{ when, typed string }

func answer(question, typed string) talk { return talk{{question, typed + "\n"}} }

// terminal runs a command with a terminal in front of it.
func (p program) terminal(t *testing.T, talk talk, env []string, args ...string) (screen string, code int) {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "school"
	cmd.Env = append(os.Environ(), "TERM=xterm", "SCHOOL_TERMINAL=1")
	for name, value := range p.env() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	check(t, err)
	defer tty.Close()
	var seen bytes.Buffer
	in := bufio.NewReader(tty)
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.EIO) || errors.Is(err, fs.ErrClosed) {
			break // the program has ended
		}
		check(t, err)
		seen.WriteByte(b)
		if len(talk) > 0 && bytes.HasSuffix(seen.Bytes(), []byte(talk[0].when)) {
			_, err := io.WriteString(tty, talk[0].typed)
			check(t, err)
			talk = talk[1:]
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		check(t, err)
	}
	return strings.ReplaceAll(seen.String(), "\r\n", "\n"), code
}

func TestADropNamesWhatIsLostAndWantsTheSlug(t *testing.T) {
	t.Parallel()
	p, pg := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north")
	_, err := pg.Pool.Exec(t.Context(), "insert into tenant_1.students (name) select 'x' from generate_series(1, 50)")
	check(t, err)
	_, err = pg.Pool.Exec(t.Context(), "analyze tenant_1.students")
	check(t, err)

	screen, code := p.terminal(t, nil, nil, "backup", "north")
	if code != manage.CodeOK || !strings.Contains(screen, "backing up north ") || !strings.Contains(screen, "Backed up north: 50 rows") {
		t.Errorf("a backup: exit code %d: %q", code, screen)
	}
	screen, code = p.terminal(t, answer("Type north to go on: ", "yes"), nil, "tenant", "drop", "north")
	if code != manage.CodeUnconfirmed {
		t.Errorf("another answer: exit code %d: %s", code, screen)
	}
	for _, want := range []string{
		"north will be lost for good:", "3 tables with some 53 rows", "1 domain (north.example.com)", "the last backup was made less than a minute ago",
	} {
		if !strings.Contains(screen, want) {
			t.Errorf("it does not say %q:\n%s", want, screen)
		}
	}
	p.ok(t, "tenant", "show", "north")
	screen, code = p.terminal(t, answer("Type north to go on: ", "north"), nil, "tenant", "drop", "north")
	if code != manage.CodeOK || !strings.Contains(screen, "Dropped north, schema tenant_1.") {
		t.Errorf("the slug: exit code %d: %s", code, screen)
	}
	p.fails(t, manage.CodeMissing, "tenant", "show", "north")
}

// Where somebody else has to approve, the drop that was typed tells how it goes on.
func TestADropThatNeedsApprovalSaysHowItGoesOn(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north")
	screen, code := p.terminal(t, answer("Type north to go on: ", "north"), []string{"SCHOOL_FOUR_EYES=1"}, "tenant", "drop", "north")
	if code != manage.CodeFailed || !strings.Contains(screen, "Another person has to approve request 1: 'school tenant drop approve 1'. Then confirm with this token: ") {
		t.Errorf("exit code %d: %s", code, screen)
	}
	p.ok(t, "tenant", "show", "north")
}

func TestATerminalGetsABarAndColours(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	for _, slug := range []string{"a", "b", "c"} {
		p.ok(t, "tenant", "create", "--subdomain", slug)
	}
	p.migrations = t.TempDir()
	check(t, os.WriteFile(p.migrations+"/00001_more.sql", []byte("-- +goose Up\ncreate table more (id bigint);\nselect pg_sleep(0.2);\n"), 0o600))
	screen, code := p.terminal(t, nil, []string{"SCHOOL_MIGRATIONS=" + p.migrations}, "migrate", "--parallel", "1")
	if code != manage.CodeOK || !strings.Contains(screen, "[=") || !strings.Contains(screen, "migrating 2 of 3 schemas, ") || !strings.Contains(screen, "/s") {
		t.Errorf("exit code %d: %q", code, screen)
	}
	if !strings.Contains(screen, "3 migrated") {
		t.Errorf("there is no report behind the bar: %q", screen)
	}
	screen, _ = p.terminal(t, nil, nil, "tenant", "list")
	if !strings.Contains(screen, "\x1b[32mactive\x1b[0m") {
		t.Errorf("no colours: %q", screen)
	}
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		screen, _ = p.terminal(t, nil, []string{env}, "tenant", "list")
		if strings.Contains(screen, "\x1b") || !strings.Contains(screen, "active") {
			t.Errorf("%s: %q", env, screen)
		}
	}
	if got := p.run(t, "", "tenant", "list"); strings.Contains(got.stdout+got.stderr, "\x1b") {
		t.Errorf("without a terminal: %q %q", got.stdout, got.stderr)
	}
}

// Ctrl-C belongs to psql, however often it is pressed.
func TestAShellSurvivesCtrlC(t *testing.T) {
	t.Parallel()
	needPsql(t)
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north")
	const prompt = "tenant_1=> "
	screen, code := p.terminal(t, talk{
		{prompt, "\x03"}, {prompt, "\x03"}, {prompt, "select 'al' || 'ive';\n"}, {prompt, "\\q\n"},
	}, nil, "shell", "north")
	if code != manage.CodeOK || !strings.Contains(screen, "alive") {
		t.Errorf("exit code %d: %q", code, screen)
	}
	if !strings.Contains(screen, "This session can take the roles of other tenants by SET ROLE") {
		t.Errorf("it does not say how the scope can be left: %q", screen)
	}
}
