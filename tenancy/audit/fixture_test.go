package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// fixture is a database with a registry and a log. The log is written in the public scope of the
// runtime login.
type fixture struct {
	pg         *pgtest.DB
	roles      schemactx.RoleNames
	owner      *pgxpool.Pool
	db         *schemactx.DB
	maintainer *audit.PartitionMaintainer
	reader     *audit.Reader
}

// shared are the migrations of the schema public.
var shared = []migrate.Source{
	{Name: "tenancy", FS: tenancy.Migrations()},
	{Name: "audit", FS: audit.Migrations(), Base: audit.MigrationBase},
}

// database is the template of the tests' databases. It has no rows. Clones share their roles.
var database = pgtest.Template{Build: build}

func build(ctx context.Context, pg *pgtest.DB) error {
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	if err != nil {
		return err
	}
	if _, err := admin.Setup(
		ctx,
		pg.Pool,
		admin.SetupConfig{Roles: roles, OwnerPassword: "o", RuntimePassword: "r"},
	); err != nil {
		return err
	}
	owner, err := pgxpool.New(ctx, pg.URLAs(roles.Owner(), "o"))
	if err != nil {
		return err
	}
	defer owner.Close()
	runner, err := migrate.New(owner, migrate.Config{Shared: shared})
	if err != nil {
		return err
	}
	if _, err := runner.Up(ctx, "public"); err != nil {
		return err
	}
	return audit.Grant(ctx, owner, audit.Rights{Writers: []string{roles.Public()}})
}

func setup(t testing.TB) *fixture {
	t.Helper()
	return setupOn(t, database.New(t))
}

// setupAlone returns a fixture with its own roles, for tests that create tenants.
func setupAlone(t testing.TB) *fixture {
	t.Helper()
	pg := pgtest.New(t)
	require.NoError(t, build(t.Context(), pg))
	return setupOn(t, pg)
}

func setupOn(t testing.TB, pg *pgtest.DB) *fixture {
	t.Helper()
	f := &fixture{pg: pg}
	var err error
	f.roles, err = schemactx.NewRoleNames(f.pg.RolePrefix)
	require.NoError(t, err)
	f.owner = f.pool(t, f.roles.Owner(), "o")
	f.db, err = schemactx.New(f.pool(t, f.roles.Runtime(), "r"), schemactx.Config{Roles: f.roles})
	require.NoError(t, err)
	f.maintainer, err = audit.NewPartitionMaintainer(f.owner, audit.PartitionMaintainerConfig{})
	require.NoError(t, err)
	f.reader, err = audit.NewReader(f.owner, audit.ReaderConfig{})
	require.NoError(t, err)
	return f
}

func (f *fixture) pool(t testing.TB, user, password string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(user, password))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// open returns a log that is closed after the test.
func (f *fixture) open(t testing.TB, cfg audit.Config) *audit.Log {
	t.Helper()
	l, err := audit.Open(t.Context(), f.db, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { closeLog(t, l) })
	return l
}

func closeLog(t testing.TB, l *audit.Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, l.Close(ctx))
}

// fill records n entries of each of the tenants, in turn.
func (f *fixture) fill(t testing.TB, l *audit.Log, n int, tenants ...int64) {
	t.Helper()
	for i := range n {
		for _, tenant := range tenants {
			require.NoError(t, l.Record(t.Context(), audit.Entry{
				Tenant:  tenant,
				Slug:    fmt.Sprintf("t%d", tenant),
				Action:  audit.Update,
				Actor:   "ada",
				Details: map[string]any{"n": i},
			}))
		}
	}
	require.NoError(t, l.Flush(t.Context()))
}

// exec runs SQL as the superuser, as an attacker with all privileges could.
func (f *fixture) exec(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	tag, err := f.pg.Pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	return tag.RowsAffected()
}

func (f *fixture) count(t testing.TB, where string, args ...any) (n int) {
	t.Helper()
	require.NoError(t,
		f.pg.Pool.QueryRow(t.Context(), "select count(*) from public.audit_log where "+where, args...).Scan(&n))
	return n
}

// verify expects problems of these kinds from [audit.Reader.VerifyAll], in any order.
func (f *fixture) verify(t testing.TB, kinds ...audit.ProblemKind) audit.Report {
	t.Helper()
	return expectReport(t, f.reader, audit.VerifyOptions{}, kinds...)
}

func expectReport(t testing.TB, r *audit.Reader, opts audit.VerifyOptions, kinds ...audit.ProblemKind) audit.Report {
	t.Helper()
	report, err := r.VerifyAll(t.Context(), opts)
	require.NoError(t, err)
	expectKinds(t, report, kinds...)
	return report
}

func expectKinds(t testing.TB, report audit.Report, kinds ...audit.ProblemKind) {
	t.Helper()
	found := map[audit.ProblemKind]int{}
	for _, p := range report.Problems {
		found[p.Kind]++
	}
	for _, k := range kinds {
		found[k]--
	}
	for _, n := range found {
		if !assert.Equal(t, 0, n, "found %v, want %v", report.Problems, kinds) {
			return
		}
	}
	if assert.Equal(t, len(kinds) == 0, report.Err() == nil, "the report's error is %v", report.Err()) {
		assert.False(t, len(kinds) > 0 && !errors.Is(report.Err(), audit.ErrTampered),
			"the report's error is %v", report.Err())
	}
}

func (f *fixture) list(t testing.TB, filter audit.Filter) []audit.Record {
	t.Helper()
	var all []audit.Record
	for record, err := range f.reader.All(t.Context(), filter) {
		require.NoError(t, err)
		all = append(all, record)
	}
	return all
}

// begin returns a transaction that is rolled back after the test.
func begin(t *testing.T, pool *pgxpool.Pool) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) }) // an error means that it has ended
	return tx
}

func expectField(t testing.TB, err error, field string) {
	t.Helper()
	var fieldErr *audit.FieldError
	if assert.ErrorAs(t, err, &fieldErr, field) {
		assert.Equal(t, field, fieldErr.Field)
	}
}

func eventually(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		require.False(t, time.Now().After(deadline), "waited in vain for %s", what)
	}
}

func stateOf(err error) string {
	var pgErr interface{ SQLState() string }
	if errors.As(err, &pgErr) {
		return pgErr.SQLState()
	}
	return ""
}

func itoa(n int) string { return strconv.Itoa(n) }
