package goosetest_test

import (
	"context"
	"database/sql"
	"io/fs"
	"os"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// both is a schema on which goose and package migrate work with the same files.
type both struct {
	pg     *pgtest.DB
	goose  *goose.Provider
	runner *migrate.Runner
	traced *trace
}

const schema = "tenant_1"

func setup(t *testing.T, files fstest.MapFS) *both {
	t.Helper()
	b := &both{pg: pgtest.New(t), traced: &trace{}}
	b.exec(t, "create schema "+schema)
	cfg, err := pgx.ParseConfig(b.pg.URL)
	require.NoError(t, err)
	cfg.RuntimeParams["search_path"] = schema + ", pg_temp"
	cfg.Tracer = b.traced
	db := stdlib.OpenDB(*cfg)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	b.goose = provider(t, db, files)
	b.runner, err = migrate.New(b.pg.Pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: files}}})
	require.NoError(t, err)
	return b
}

func provider(t *testing.T, db *sql.DB, files fs.FS) *goose.Provider {
	t.Helper()
	p, err := goose.NewProvider(goose.DialectPostgres, db, files)
	require.NoError(t, err)
	return p
}

func (b *both) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := b.pg.Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// text returns the one value of a query.
func (b *both) text(t *testing.T, sql string) (value string) {
	t.Helper()
	require.NoError(t, b.pg.Pool.QueryRow(t.Context(), sql).Scan(&value))
	return value
}

// expectApplied expects that goose and package migrate report the versions want as applied.
func (b *both) expectApplied(t *testing.T, want ...int64) {
	t.Helper()
	statuses, err := b.goose.Status(t.Context())
	require.NoError(t, err)
	var fromGoose []int64
	for _, s := range statuses {
		if s.State == goose.StateApplied {
			fromGoose = append(fromGoose, s.Source.Version)
		}
	}
	status, err := b.runner.Status(t.Context(), schema)
	require.NoError(t, err)
	require.NoError(t, status.Err)
	fromMigrate := status.Versions(migrate.Applied)
	assert.Equal(t, want, fromGoose, "the versions that goose reports as applied")
	assert.Equal(t, want, fromMigrate, "the versions that package migrate reports as applied")
}

// trace records what goose sends.
type trace struct {
	mu  sync.Mutex
	sql []string
}

func (tr *trace) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.sql = append(tr.sql, data.SQL)
	return ctx
}

func (*trace) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns what was sent since the last call.
func (tr *trace) take() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	sql := tr.sql
	tr.sql = nil
	return sql
}
