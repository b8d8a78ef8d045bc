package tenancy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// benchTables is how many tables, in as many files, a tenant of the benchmarks has.
const benchTables = 20

func benchFile(i int) string {
	return fmt.Sprintf(`create table t%[1]d (
	id bigint generated always as identity primary key,
	parent_id bigint references t%[2]d (id),
	name text not null,
	created_at timestamptz not null default now()
);
create index t%[1]d_parent_id on t%[1]d (parent_id);
`, i, max(i-1, 1))
}

// benchSQL returns the SQL of all files, in a new schema, for one transaction.
func benchSQL(schema string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "create schema %[1]s; set local search_path = %[1]s, pg_temp;\n", schema)
	for i := range benchTables {
		b.WriteString(benchFile(i + 1))
	}
	return b.String()
}

// creators is a fixture whose manager creates tenants with benchTables tables.
type creators struct {
	*fixture
	m *tenancy.Manager
}

func setupCreators(b *testing.B, change func(cfg *tenancy.Config)) *creators {
	b.Helper()
	f := setup(b)
	files := fstest.MapFS{}
	for i := range benchTables {
		files[fmt.Sprintf("%05d_t.sql", i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + benchFile(i+1))}
	}
	runner, err := migrate.New(f.owner, migrate.Config{Tenant: []migrate.Source{{Name: "bench", FS: files}}})
	require.NoError(b, err)
	return &creators{fixture: f, m: f.managerWith(b, func(cfg *tenancy.Config) {
		cfg.Migrator, cfg.Drop.Enabled = runner, true
		change(cfg)
	})}
}

func (c *creators) drop(b *testing.B, slug string) {
	b.Helper()
	_, err := c.m.Drop(b.Context(), request(b, c.m, slug))
	require.NoError(b, err)
}

// BenchmarkCreate compares Create with one Exec of one SQL string in one transaction. The string of
// "same" creates all that Create creates: row, role, grants and version table. The string of "exec"
// creates only the schema and its tables. If psql is installed, "psql" runs the string of "exec"
// with psql -1, including the start of the process.
//
// Each round runs each of them once and then drops what it has created, so that all run under the
// same conditions: a file system is slower after many files were removed. b.N is the number of
// rounds. The ratios are medians over the rounds.
//
//	go test -run '^$' -bench 'Create$' -benchtime 100x ./tenancy
//
// The server of the tests does not sync its files. Set TEST_DATABASE_URL for a server that does.
func BenchmarkCreate(b *testing.B) {
	c := setupCreators(b, func(*tenancy.Config) {})
	variants := []variant{{"create", c.create}, {"same", c.same}, {"exec", c.exec}}
	if psql, err := exec.LookPath("psql"); err == nil {
		variants = append(variants, variant{"psql", c.psql(b, psql)})
	}
	for _, w := range variants { // opens connections and prepares statements
		w.run(b, "warm_"+w.name)
	}
	times := make(map[string][]float64)
	for round := range b.N {
		for i := range variants {
			w := variants[(round+i)%len(variants)]
			start := time.Now()
			undo := w.run(b, fmt.Sprintf("%s_%d", w.name, round))
			times[w.name] = append(times[w.name], float64(time.Since(start).Microseconds())/1000)
			undo()
		}
	}
	b.ReportMetric(0, "ns/op") // the duration of a round has no meaning
	for _, w := range variants {
		if w.name != "create" {
			b.ReportMetric(quantile(ratios(times["create"], times[w.name]), 0.5), "ratio-to-"+w.name)
		}
		b.ReportMetric(quantile(times[w.name], 0.5), w.name+"-ms")
	}
}

// variant creates a schema with the tables. undo removes it.
type variant struct {
	name string
	run  func(b *testing.B, name string) (undo func())
}

func (c *creators) create(b *testing.B, name string) func() {
	b.Helper()
	slug := strings.ReplaceAll(name, "_", "-")
	_, err := c.m.Create(b.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	require.NoError(b, err)
	return func() { c.drop(b, slug) }
}

func (c *creators) exec(b *testing.B, name string) func() {
	b.Helper()
	_, err := c.owner.Exec(b.Context(), benchSQL(name))
	require.NoError(b, err)
	return func() { c.dropSchema(b, name) }
}

// same sends the statements of Create as one string, without its checks.
func (c *creators) same(b *testing.B, name string) func() {
	b.Helper()
	role := c.roles.Tenant(name)
	slug := strings.ReplaceAll(name, "_", "-")
	var sql strings.Builder
	fmt.Fprintf(&sql, `insert into public.schema_names (name, tenant_id) values ('%[1]s', 0);
		insert into public.tenants (schema_name, slug, name) values ('%[1]s', '%[2]s', '%[2]s');
		insert into public.domains (tenant_id, host, is_primary, verified_at)
			select id, '%[2]s.example.com', true, now() from public.tenants where slug = '%[2]s';
		create role %[3]s nologin; comment on role %[3]s is 'pgtenant role of database %[4]s'; grant %[3]s to %[5]s;
		create schema %[1]s; revoke all on schema %[1]s from public; grant usage on schema %[1]s to %[3]s;
		alter default privileges in schema %[1]s grant select, insert, update, delete on tables to %[3]s;
		alter default privileges in schema %[1]s grant usage, select on sequences to %[3]s;
		set local search_path = %[1]s, pg_temp;
		create table goose_db_version (id integer primary key generated by default as identity,
			version_id bigint not null, is_applied boolean not null, tstamp timestamp not null default now());
		revoke all on goose_db_version from %[3]s;
		insert into goose_db_version (version_id, is_applied) select i, true from generate_series(0, %[6]d) i;
		`, name, slug, role, c.pg.Name, c.roles.Runtime(), benchTables)
	for i := range benchTables {
		sql.WriteString(benchFile(i + 1))
	}
	fmt.Fprintf(&sql, "update public.tenants set status = 'active' where slug = '%s';", slug)
	_, err := c.owner.Exec(b.Context(), sql.String())
	require.NoError(b, err)
	return func() { c.drop(b, slug) }
}

func (c *creators) dropSchema(b *testing.B, name string) {
	b.Helper()
	_, err := c.owner.Exec(b.Context(), "drop schema "+name+" cascade")
	require.NoError(b, err)
}

func (c *creators) psql(b *testing.B, psql string) func(b *testing.B, name string) func() {
	b.Helper()
	dir := b.TempDir()
	return func(b *testing.B, name string) func() {
		b.Helper()
		file := filepath.Join(dir, "tenant.sql")
		require.NoError(b, os.WriteFile(file, []byte(benchSQL(name)), 0o600))
		out, err := exec.CommandContext(b.Context(), psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", file,
			c.pg.URLAs(c.roles.Owner(), "o")).CombinedOutput()
		require.NoError(b, err, "psql: %s", out)
		return func() { c.dropSchema(b, name) }
	}
}

// BenchmarkAssignStocked measures the latency of AssignStocked, for tenants with 20 tables:
//
//	go test -run '^$' -bench 'AssignStocked$' -benchtime 200x ./tenancy
func BenchmarkAssignStocked(b *testing.B) {
	const size = 50
	c := setupCreators(b, func(cfg *tenancy.Config) { cfg.Stock = tenancy.StockConfig{Size: size, StockOnly: true} })
	var times []float64
	for i := range b.N {
		if i%size == 0 {
			refill(b, c.m)
		}
		start := time.Now()
		_, err := c.m.AssignStocked(b.Context(), createParams(fmt.Sprintf("t%d", i)))
		times = append(times, float64(time.Since(start).Microseconds())/1000)
		require.NoError(b, err)
	}
	b.ReportMetric(0, "ns/op") // includes the refills
	b.ReportMetric(quantile(times, 0.5), "p50-ms")
	b.ReportMetric(quantile(times, 0.99), "p99-ms")
}

func ratios(of, to []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / to[i]
	}
	return r
}

// quantile returns the q-quantile of values.
func quantile(values []float64, q float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[int(q*float64(len(values)-1)+0.5)]
}
