package goosetest_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// parsed is what goose reads in the Up section of a file.
type parsed struct {
	sql []string
	tx  bool
}

// checksum computes the checksum as the documentation of [migrate.Migration] describes it.
func (p *parsed) checksum() string {
	h := sha256.New()
	if !p.tx {
		h.Write([]byte("NO TRANSACTION\x00"))
	}
	for _, sql := range p.sql {
		h.Write([]byte(strings.ReplaceAll(sql, "\r\n", "\n") + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func newRunner(t testing.TB, content string) (*migrate.Runner, error) {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), "host=127.0.0.1") // it would connect at its first use, and is not used
	require.NoError(t, err)
	defer pool.Close()
	return migrate.New(pool, migrate.Config{Tenant: []migrate.Source{{Name: "app", FS: file(content)}}})
}

func file(content string) fstest.MapFS { return fstest.MapFS{"00001_a.sql": {Data: []byte(content)}} }

// gooseParses returns what goose sends for the Up section of a file. goose does not export its
// parser, so goose runs on a connection that only records. The text need not be SQL.
func gooseParses(t testing.TB, content string) (*parsed, error) {
	t.Helper()
	rec := &recorder{}
	db := sql.OpenDB(rec)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, file(content), goose.WithDisableVersioning(true))
	if err != nil {
		return nil, err
	}
	if _, err = p.Up(context.Background()); err != nil {
		return nil, err
	}
	return &rec.parsed, nil
}

// recorder is a driver.Connector with one connection, which records what is sent.
type recorder struct{ parsed }

func (r *recorder) Connect(context.Context) (driver.Conn, error) { return r, nil }
func (r *recorder) Driver() driver.Driver                        { return nil }
func (r *recorder) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (r *recorder) Close() error                                 { return nil }
func (r *recorder) Commit() error                                { return nil }
func (r *recorder) Rollback() error                              { return nil }

func (r *recorder) Begin() (driver.Tx, error) {
	r.tx = true
	return r, nil
}

func (r *recorder) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	r.sql = append(r.sql, query)
	return driver.RowsAffected(0), nil
}
