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

	"github.com/oryne/pgtenant/tenancy/manage"
)

// closed is a program that must not be opened.
func closed(t *testing.T) manage.Config {
	return manage.Config{Name: "school", Open: func(context.Context) (*manage.App, error) {
		t.Error("it was opened")
		return nil, errors.New("closed")
	}}
}

// walk calls fn for each command of ours.
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
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s has no %s", cmd.CommandPath(), name)
			}
		}
		if strings.HasSuffix(cmd.Short, ".") || strings.Contains(cmd.Example, "$0") || !strings.Contains(cmd.Example, "school ") {
			t.Errorf("%s: %q, %q", cmd.CommandPath(), cmd.Short, cmd.Example)
		}
		for _, code := range []string{"Exit codes:\n  0    ", "\n  1    ", "\n  2    ", "\n  130  "} {
			if !strings.Contains(cmd.Long, code) {
				t.Errorf("%s does not say what it exits with: %q is missing", cmd.CommandPath(), code)
			}
		}
		for line := range strings.Lines(cmd.Long) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 78 && strings.Contains(line, " ") {
				t.Errorf("%s: a line of its help has %d characters: %s", cmd.CommandPath(), n, line)
			}
		}
	})
	if n < 50 {
		t.Errorf("there are %d commands: they were not all looked at", n)
	}
}

func TestHelpAndManPagesNeedNoDatabase(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--help"}, {"tenant"}, {"migrate", "--help"}, {"help", "domain", "move"}, {"completion", "bash"}} {
		if got := runWith(t.Context(), closed(t), "", args...); got.code != manage.CodeOK || got.stdout == "" {
			t.Errorf("%v: exit code %d, %s", args, got.code, got.stderr)
		}
	}
	dir := filepath.Join(t.TempDir(), "man1")
	if got := runWith(t.Context(), closed(t), "", "man", dir); got.code != manage.CodeOK {
		t.Fatal(got.stderr)
	}
	page, err := os.ReadFile(filepath.Join(dir, "school-tenant-drop-approve.1"))
	check(t, err)
	for _, want := range []string{`.TH "SCHOOL-TENANT-DROP-APPROVE" "1"`, "somebody else", "Exit codes", "EXAMPLE"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
}

func TestWhatIsNotConfiguredIsSaidInOneSentence(t *testing.T) {
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
		if got.code != manage.CodeFailed || !strings.HasPrefix(got.stderr, "school: this program has not configured ") || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q", args, got.code, got.stderr)
		}
	}
}

func TestErrorsAreOneLineWithoutSecrets(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(context.Context) (*manage.App, error){
		"an error": func(context.Context) (*manage.App, error) {
			return nil, errors.New("cannot connect to postgres://owner:hunter2@db:5432/school\n\tpassword=hunter2 \x1b[2Jand more")
		},
		"a panic": func(context.Context) (*manage.App, error) { panic("postgres://owner:hunter2@db/school is nil") },
		"no app":  func(context.Context) (*manage.App, error) { return nil, nil },
	} {
		got := runWith(t.Context(), manage.Config{Name: "school", Open: open}, "", "tenant", "list")
		if got.code != manage.CodeFailed || strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "school: ") {
			t.Errorf("%s: exit code %d, %q", name, got.code, got.stderr)
		}
		if strings.Contains(got.stderr, "hunter2") || strings.Contains(got.stderr, "\x1b") || strings.Contains(got.stderr, "goroutine") {
			t.Errorf("%s: %q", name, got.stderr)
		}
	}
}

// Mounted below a command of the program, help and messages name the whole path.
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
	if code := manage.Run(t.Context(), root); code != manage.CodeOK || !strings.Contains(stdout.String(), "  school admin tenant show schoola") {
		t.Errorf("exit code %d: %s", code, stdout.String())
	}
	root.SetArgs([]string{"admin", "tenant", "rename"})
	if code := manage.Run(t.Context(), root); code != manage.CodeUsage || stderr.String() != "school: SLUG is missing; see 'school admin tenant rename --help'\n" {
		t.Errorf("exit code %d: %q", code, stderr.String())
	}
}

func TestAnEndedContextIsAnInterrupt(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := runWith(ctx, p.config(), "", "tenant", "list"); got.code != manage.CodeInterrupted {
		t.Errorf("exit code %d, %q", got.code, got.stderr)
	}
}
