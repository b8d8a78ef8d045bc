package console

import (
	"net/http"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// fleet is where the schemas of all schools stand.
type fleet struct {
	Known  []migrate.Migration // those of a school's schema
	Counts map[migrate.Outcome]int
	Named  []migrate.SchemaState // that need somebody
	More   int
	Drift  *drift.Report // where it was asked for
	Took   time.Duration
}

// maxNamed is how many schemas in trouble the page names.
const maxNamed = 50

func (c *console) migrations(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := patient(w, r)
	defer cancel()
	f := fleet{Counts: make(map[migrate.Outcome]int)}
	for _, m := range c.Runner.Migrations() {
		if m.Set == migrate.TenantSet {
			f.Known = append(f.Known, m)
		}
	}
	var schemas []string
	for state, err := range c.Runner.Fleet(ctx, c.Tenants.Schemas) {
		if err != nil {
			c.Broken(w, r, err)
			return
		}
		f.Counts[state.Outcome]++
		schemas = append(schemas, state.Schema)
		switch {
		case state.Outcome == migrate.Current && len(state.Edited) == 0:
		case len(f.Named) < maxNamed:
			f.Named = append(f.Named, state)
		default:
			f.More++
		}
	}
	if r.URL.Query().Get("drift") != "" {
		report, err := drift.Check(ctx, c.Runner, schemas, drift.Options{})
		if err != nil {
			c.Broken(w, r, err)
			return
		}
		f.Drift, f.Took = &report, report.Duration.Round(time.Millisecond)
	}
	c.Render(w, r, http.StatusOK, "migrations", c.page(r, "Migrations", f))
}

// migrate brings one school up to date: the way out for one that a failure has left behind.
func (c *console) migrate(w http.ResponseWriter, r *http.Request, slug string, _ web.Form) (string, error) {
	ctx, cancel := patient(w, r)
	defer cancel()
	t, err := c.Tenants.BySlug(ctx, slug)
	if err != nil {
		return "", err
	}
	result, err := c.Runner.Up(ctx, t.Schema)
	c.Quarantine.Migrated(ctx, result)
	return "The schema is up to date.", err
}
