package console

import (
	"net/http"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

// fleet is the migration status of all schools' schemas.
type fleet struct {
	Known  []migrate.Migration // the migrations of a school's schema
	Counts map[migrate.Outcome]int
	Named  []migrate.SchemaState // the schemas that need attention
	More   int
	Drift  *drift.Report // nil unless requested
	Took   time.Duration
}

// maxNamed is the maximum number of schemas with problems that the page names.
const maxNamed = 50

func (c *console) migrations(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := operationContext(w, r)
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

// migrate migrates one school, for example after a migration of it has failed.
func (c *console) migrate(w http.ResponseWriter, r *http.Request, slug string, _ web.Form) (string, error) {
	ctx, cancel := operationContext(w, r)
	defer cancel()
	t, err := c.Tenants.BySlug(ctx, slug)
	if err != nil {
		return "", err
	}
	result, err := c.Runner.Up(ctx, t.Schema)
	c.Quarantine.Migrated(ctx, result)
	return "The schema is up to date.", err
}
