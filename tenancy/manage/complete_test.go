package manage_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/tenancy/manage"
)

func TestAShellCompletesSlugsDomainsAndSchemas(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north", "--name", "North School")
	p.ok(t, "tenant", "create", "--subdomain", "south")
	p.ok(t, "backup", "north")
	for line, want := range map[string]string{
		"tenant show n":           "north\tNorth School\n",
		"tenant show ":            "north\tNorth School\nsouth\tsouth\n",
		"tenant show north ":      "",
		"restore north --backup ": "\t20",
		"tenant list --status m":  "maintenance\n",
		"backup north s":          "south\tsouth\n",
		"domain primary south ":   "south.example.com\n",
		"migrate --only tenant_1": "tenant_1\tnorth\n",
		"shell --schema tenant_2": "tenant_2\tsouth\n",
		"tenant maintenance o":    "on\tStart the maintenance of a tenant\noff\tEnd the maintenance of a tenant\n",
		"domain move south ":      "south.example.com\n",
		"migrate down n":          "north\tNorth School\n",
		"drift n":                 "north\tNorth School\n",
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		got := p.ok(t, args...)
		if want == "" {
			want = ":"
		}
		for entry := range strings.Lines(want) {
			assert.Contains(t, got, entry, "%q", line)
		}
		if strings.Contains(want, "north") && strings.Contains(line, "show n") {
			assert.NotContains(t, got, "south", "%q", line)
		}
	}
}

func TestCompletionWithoutADatabaseOffersNothing(t *testing.T) {
	t.Parallel()
	cfg := manage.Config{
		Name: "school",
		Open: func(context.Context) (*manage.App, error) { return nil, errors.New("away") },
	}
	got := runWith(t.Context(), cfg, "", "__complete", "tenant", "show", "")
	assert.Equal(t, manage.CodeOK, got.code, "exit code %d, %q", got.code, got.stdout)
	assert.Equal(t, ":4\n", got.stdout, "exit code %d", got.code)
}
