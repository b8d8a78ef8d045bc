package backup_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func formatSequence(s archive.Sequence) string { return fmt.Sprint(s.Last, s.Called) }

// runtime is a pool of the login that serves requests.
func (f *fixture) runtime(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(f.roles.Runtime(), "r"))
	check(t, err)
	t.Cleanup(pool.Close)
	return pool
}
