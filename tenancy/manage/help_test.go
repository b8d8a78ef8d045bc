package manage_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/manage"
)

// closed configures a program whose database must not be opened.
func closed(t *testing.T) manage.Config {
	return manage.Config{Name: "school", Open: func(context.Context) (*manage.App, error) {
		assert.Fail(t, "the command opened the program's resources")
		return nil, errors.New("closed")
	}}
}

// walk calls fn for a command and all commands below it.
func walk(cmd *cobra.Command, fn func(cmd *cobra.Command)) {
	fn(cmd)
	for _, c := range cmd.Commands() {
		walk(c, fn)
	}
}

func TestEveryCommandIsDocumented(t *testing.T) {
	t.Parallel()
	n := 0
	walk(manage.Command(closed(t)), func(cmd *cobra.Command) {
		n++
		for name, text := range map[string]string{"Short": cmd.Short, "Long": cmd.Long, "Example": cmd.Example} {
			assert.NotEmpty(t, strings.TrimSpace(text), "%s of %s", name, cmd.CommandPath())
		}
		assert.Falsef(t, strings.HasSuffix(cmd.Short, "."), "%s: %q ends with a period", cmd.CommandPath(), cmd.Short)
		assert.NotContains(t, cmd.Example, "$0", cmd.CommandPath())
		assert.Contains(t, cmd.Example, "school ", cmd.CommandPath())
		for _, code := range []string{"Exit codes:\n  0    ", "\n  1    ", "\n  2    ", "\n  130  "} {
			assert.Contains(t, cmd.Long, code, "exit codes of %s", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long) {
			if strings.Contains(line, " ") {
				width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))
				assert.LessOrEqual(t, width, 78, "%s: %q", cmd.CommandPath(), line)
			}
		}
	})
	assert.GreaterOrEqual(t, n, 50, "there are only %d commands", n)
}

func TestHelpAndManPagesNeedNoDatabase(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"--help"}, {"tenant"}, {"migrate", "--help"}, {"help", "domain", "move"}, {"completion", "bash"},
	} {
		got := runWith(t.Context(), closed(t), "", args...)
		assert.Equal(t, manage.CodeOK, got.code, "%v: exit code %d, %s", args, got.code, got.stderr)
		assert.NotEmpty(t, got.stdout, "%v: exit code %d, %s", args, got.code, got.stderr)
	}
	dir := filepath.Join(t.TempDir(), "man1")
	got := runWith(t.Context(), closed(t), "", "man", dir)
	require.Equal(t, manage.CodeOK, got.code, got.stderr)
	page, err := os.ReadFile(filepath.Join(dir, "school-tenant-drop-approve.1"))
	require.NoError(t, err)
	for _, want := range []string{`.TH "SCHOOL-TENANT-DROP-APPROVE" "1"`, "another person", "Exit codes", "EXAMPLE"} {
		assert.Contains(t, string(page), want, "the page has no %q", want)
	}
}

func TestAMissingConfigurationIsReportedInOneSentence(t *testing.T) {
	t.Parallel()
	empty := manage.Config{Name: "school", Open: func(context.Context) (*manage.App, error) { return &manage.App{}, nil }}
	for _, args := range [][]string{
		{"init"},
		{"check"},
		{"drift"},
		{"tenant", "list"},
		{"tenant", "drop", "a"},
		{"domain", "list", "a"},
		{"migrate"},
		{"migrate", "status"},
		{"backup", "a"},
		{"backup", "list"},
		{"restore", "a"},
		{"restore", "confirm", "a"},
		{"clone", "a"},
		{"export", "a"},
		{"dump", "a"},
		{"erase", "a"},
		{"audit", "tail"},
		{"audit", "verify"},
		{"foreach", "--", "true"},
		{"shell", "a"},
	} {
		got := runWith(t.Context(), empty, "", args...)
		assert.Equal(t, manage.CodeFailed, got.code, "%v: exit code %d, %q", args, got.code, got.stderr)
		assert.True(t, strings.HasPrefix(got.stderr, "school: this program has not configured "),
			"%v: exit code %d, %q", args, got.code, got.stderr)
		assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "%v: exit code %d, %q", args, got.code, got.stderr)
	}
}

func TestErrorsAreOneLineWithoutSecrets(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(context.Context) (*manage.App, error){
		"an error": func(context.Context) (*manage.App, error) {
			return nil, errors.New("cannot connect to postgres://owner:hunter2@db:5432/school\n" +
				"\tpassword=hunter2 \x1b[2Jand more")
		},
		"a panic": func(context.Context) (*manage.App, error) { panic("postgres://owner:hunter2@db/school is nil") },
		"no app":  func(context.Context) (*manage.App, error) { return nil, nil },
	} {
		got := runWith(t.Context(), manage.Config{Name: "school", Open: open}, "", "tenant", "list")
		assert.Equal(t, manage.CodeFailed, got.code, "%s: exit code %d, %q", name, got.code, got.stderr)
		assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "%s: exit code %d, %q", name, got.code, got.stderr)
		assert.True(t, strings.HasPrefix(got.stderr, "school: "), "%s: exit code %d, %q", name, got.code, got.stderr)
		assert.NotContains(t, got.stderr, "hunter2", name)
		assert.NotContains(t, got.stderr, "\x1b", name)
		assert.NotContains(t, got.stderr, "goroutine", name)
	}
}

// If the commands are mounted below a command of the program, help and messages show the whole
// path.
func TestTheCommandsCanBeMountedBelowAnother(t *testing.T) {
	t.Parallel()
	cfg := closed(t)
	cfg.Name = "school admin"
	root := &cobra.Command{Use: "school"}
	root.AddCommand(manage.Command(cfg))
	var stdout, stderr strings.Builder
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs([]string{"admin", "tenant", "show", "--help"})
	code := manage.Run(t.Context(), root)
	assert.Equal(t, manage.CodeOK, code, "exit code %d: %s", code, stdout.String())
	assert.Contains(t, stdout.String(), "  school admin tenant show schoola", "exit code %d", code)
	root.SetArgs([]string{"admin", "tenant", "rename"})
	code = manage.Run(t.Context(), root)
	assert.Equal(t, manage.CodeUsage, code, "exit code %d: %q", code, stderr.String())
	assert.Equal(t, "school: SLUG is missing; see 'school admin tenant rename --help'\n", stderr.String(),
		"exit code %d", code)
}

func TestAnEndedContextIsAnInterrupt(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := runWith(ctx, p.config(), "", "tenant", "list")
	assert.Equal(t, manage.CodeInterrupted, got.code, "exit code %d, %q", got.code, got.stderr)
}
