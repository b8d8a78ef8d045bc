package goosetest_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
)

var (
	tenantsFlag = flag.Int("tenants", 100, "how many tenants the benchmark of the fleet makes")
	workersFlag = flag.Int("workers", 4, "how many schemas are migrated at a time")
	sampleFlag  = flag.Int("sample", 0, "how many of the tenants goose migrates in the benchmark; 0: all")
)

// fleet is a database with tenants of 20 tables and goose's version table.
type fleet struct {
	pg      *pgtest.DB
	pool    *pgxpool.Pool
	schemas []string
	files   fstest.MapFS
	version int
}

func newFleet(b *testing.B) *fleet {
	b.Helper()
	f := &fleet{pg: pgtest.New(b), files: make(fstest.MapFS)}
	cfg, err := pgxpool.ParseConfig(f.pg.URL)
	require.NoError(b, err)
	cfg.MaxConns = int32(*workersFlag) + 2
	f.pool, err = pgxpool.NewWithConfig(b.Context(), cfg)
	require.NoError(b, err)
	b.Cleanup(f.pool.Close)
	for i := range *tenantsFlag {
		f.schemas = append(f.schemas, fmt.Sprintf("tenant_%05d", i+1))
	}
	var sql strings.Builder
	for i := range 20 {
		fmt.Fprintf(
			&sql,
			"create table t%02d (id bigint primary key, name text not null, made timestamptz not null default now());\n",
			i+1,
		)
	}
	f.add(sql.String())
	_, err = f.pool.Exec(
		b.Context(),
		"create schema "+strings.Join(f.schemas, "; create schema "),
		pgx.QueryExecModeSimpleProtocol,
	)
	require.NoError(b, err)
	f.migrate(b)
	_, err = f.pool.Exec(b.Context(), "vacuum analyze") // as autovacuum would do soon
	require.NoError(b, err)
	return f
}

func (f *fleet) add(sql string) string {
	f.version++
	f.files[fmt.Sprintf("%05d_m.sql", f.version)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
	return sql
}

// next adds a migration that adds a column and an index, to another table each time.
func (f *fleet) next() string {
	table := f.version%20 + 1
	return f.add(
		fmt.Sprintf(
			"alter table t%02d add column c%d text;\ncreate index on t%02d (c%d);\n",
			table,
			f.version,
			table,
			f.version,
		),
	)
}

// sample returns the schemas that goose is measured with.
func (f *fleet) sample() []string {
	if *sampleFlag > 0 {
		return f.schemas[:min(*sampleFlag, len(f.schemas))]
	}
	return f.schemas
}

// each calls fn for each of the schemas, a few at a time.
func (f *fleet) each(b *testing.B, schemas []string, fn func(ctx context.Context, worker int, schema string) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range *workersFlag {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(schemas)); i = next.Add(1) - 1 {
				if !assert.NoError(b, fn(b.Context(), worker, schemas[i])) {
					return
				}
			}
		})
	}
	wg.Wait()
}

// migrate migrates with [migrate.Runner.UpAll].
func (f *fleet) migrate(b *testing.B) {
	if report := f.upAll(b); report.Count(migrate.Migrated) != len(f.schemas) {
		b.Fatal(report.Summary())
	}
}

func (f *fleet) upAll(b *testing.B) migrate.Report {
	r, err := migrate.New(f.pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: f.files}}})
	require.NoError(b, err)
	report, err := r.UpAll(b.Context(), migrate.Schemas(f.schemas...), migrate.UpAllOptions{Workers: *workersFlag})
	require.NoError(b, err)
	return report
}

// byHand migrates with a transaction in the simple protocol for each tenant.
func (f *fleet) byHand(b *testing.B, sql string) {
	conns := make([]*pgxpool.Conn, *workersFlag)
	for i := range conns {
		conn, err := f.pool.Acquire(b.Context())
		require.NoError(b, err)
		defer conn.Release()
		conns[i] = conn
	}
	f.each(b, f.schemas, func(ctx context.Context, worker int, schema string) error {
		_, err := conns[worker].Exec(
			ctx,
			fmt.Sprintf(
				"begin; set local search_path to %s; %s insert into goose_db_version (version_id, is_applied) "+
					"values (%d, true); commit",
				schema,
				sql,
				f.version,
			),
			pgx.QueryExecModeSimpleProtocol,
		)
		return err
	})
}

// gooseOnePool migrates with a Provider for each tenant on one pool. goose names the version table
// with its schema. The migration finds its tables by the search path, which a statement in front of
// it sets.
func (f *fleet) gooseOnePool(b *testing.B, pending int) {
	cfg, err := pgx.ParseConfig(f.pg.URL)
	require.NoError(b, err)
	db := stdlib.OpenDB(*cfg)
	defer func() { require.NoError(b, db.Close()) }()
	db.SetMaxOpenConns(2 * *workersFlag)
	db.SetMaxIdleConns(2 * *workersFlag)
	f.each(b, f.sample(), func(ctx context.Context, _ int, schema string) error {
		files := make(fstest.MapFS, len(f.files))
		for name, file := range f.files {
			text := strings.Replace(
				string(file.Data),
				"-- +goose Up\n",
				"-- +goose Up\nset local search_path to "+schema+";\n",
				1,
			)
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		store, err := database.NewStore(database.DialectPostgres, schema+".goose_db_version")
		if err != nil {
			return err
		}
		p, err := goose.NewProvider(
			goose.DialectCustom,
			db,
			files,
			goose.WithStore(store),
			goose.WithDisableGlobalRegistry(true),
		)
		if err != nil {
			return err
		}
		results, err := p.Up(ctx)
		if err == nil && len(results) != pending {
			err = fmt.Errorf("goose applied %d migrations in %s", len(results), schema)
		}
		return err
	})
}

// goosePools migrates with a Provider for each tenant on its own pool, which has the search path in
// its settings. This is what follows from goose's documentation.
func (f *fleet) goosePools(b *testing.B, pending int) {
	cfg, err := pgx.ParseConfig(f.pg.URL)
	require.NoError(b, err)
	f.each(b, f.sample(), func(ctx context.Context, _ int, schema string) error {
		own := cfg.Copy()
		own.RuntimeParams["search_path"] = schema
		db := stdlib.OpenDB(*own)
		defer db.Close()
		p, err := goose.NewProvider(goose.DialectPostgres, db, f.files, goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return err
		}
		results, err := p.Up(ctx)
		if err == nil && len(results) != pending {
			err = fmt.Errorf("goose applied %d migrations in %s", len(results), schema)
		}
		return err
	})
}

// BenchmarkFleet migrates all tenants with one migration after the other. The variants take turns,
// so that all run under the same conditions and on the same tables. It reports tenants per second,
// by medians, and how much longer the other variants take than UpAll. If goose is measured with a
// sample, UpAll migrates the remaining tenants while no time is taken.
//
//	go test -run '^$' -bench Fleet -benchtime 3x -tenants 1000
//	go test -run '^$' -bench Fleet -benchtime 1x -tenants 5000 -sample 500
func BenchmarkFleet(b *testing.B) {
	f := newFleet(b)
	b.Run("one migration", func(b *testing.B) {
		f.inTurns(b, f.next, []way{
			{"migrate", len(f.schemas), func(string) { f.migrate(b) }},
			{"by-hand", len(f.schemas), func(sql string) { f.byHand(b, sql) }},
			{"goose-one-pool", len(f.sample()), func(string) { f.gooseOnePool(b, 1) }},
			{"goose-pools", len(f.sample()), func(string) { f.goosePools(b, 1) }},
		})
	})
	b.Run("nothing pending", func(b *testing.B) {
		f.inTurns(b, func() string { return "" }, []way{
			{"migrate", len(f.schemas), func(string) { f.upAll(b) }},
			{"goose-one-pool", len(f.sample()), func(string) { f.gooseOnePool(b, 0) }},
			{"goose-pools", len(f.sample()), func(string) { f.goosePools(b, 0) }},
		})
	})
}

// way is one of the variants.
type way struct {
	name    string
	tenants int // number of tenants that it migrates
	run     func(sql string)
}

// inTurns measures the variants. Each migrates what next returns.
func (f *fleet) inTurns(b *testing.B, next func() string, ways []way) {
	times := make([][]float64, len(ways))
	for round := range b.N + 1 {
		for i := range ways {
			w := (i + round) % len(ways) // each variant is first in turn
			f.pool.Reset()
			sql := next()
			start := time.Now()
			ways[w].run(sql)
			if round > 0 { // the first round warms up
				times[w] = append(times[w], time.Since(start).Seconds()/float64(ways[w].tenants))
			}
			f.upAll(b)
		}
	}
	median := func(times []float64) float64 { return slices.Sorted(slices.Values(times))[len(times)/2] }
	for w, way := range ways {
		b.ReportMetric(1/median(times[w]), way.name+"/s")
		if w > 0 {
			b.ReportMetric(median(times[w])/median(times[0]), way.name+"/migrate")
		}
	}
	b.ReportMetric(0, "ns/op")
}
