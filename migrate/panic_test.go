package migrate_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

func TestPanicOfAMigrationIsTheErrorOfItsSchema(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, fail := range map[string]func(){
		"panic":            func() { panic("out of range") },
		"panic of error":   func() { panic(broken) },
		"runtime error":    func() { fail := []int{}; _ = fail[len(fail)] },
		"end of goroutine": runtime.Goexit,
	} {
		for kind, migration := range map[string]migrate.GoMigration{
			"in a transaction": {Version: 2, Name: "x", Up: func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "create table made (id int)")
				if schema, _ := schemactx.FromContext(ctx); err == nil && schema == "tenant_1" {
					fail()
				}
				return err
			}},
			"without one": {Version: 2, Name: "x", UpNoTx: func(ctx context.Context, conn *pgx.Conn) error {
				schema, _ := schemactx.FromContext(ctx)
				if schema == "tenant_1" {
					fail()
				}
				_, err := conn.Exec(ctx, "create table made (id int)")
				return err
			}},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				f := setup(t)
				src := texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"]})
				src.Go = []migrate.GoMigration{migration}
				r := f.tenant(t, src)
				report, err := r.UpAll(t.Context(), migrate.Schemas(names(2)...), migrate.UpAllOptions{Workers: 1})
				require.ErrorIs(t, err, migrate.ErrIncomplete)
				require.Len(t, report.Results, 2)
				results := map[string]migrate.Result{}
				for _, res := range report.Results {
					results[res.Schema] = res
				}
				var failure *migrate.Error
				require.ErrorAs(t, results["tenant_1"].Err, &failure)
				assert.Equal(t, int64(2), failure.Version)
				var panicked *migrate.PanicError
				if name == "end of goroutine" {
					assert.ErrorContains(t, failure, "Goexit")
				} else {
					require.ErrorAs(t, failure, &panicked)
					assert.Contains(t, string(panicked.Stack), "panic_test.go")
				}
				if name == "panic of error" {
					require.ErrorIs(t, failure, broken)
				}
				require.NoError(t, results["tenant_2"].Err)
				assert.Equal(t, "a made", f.tables(t, "tenant_2"))
				assert.Equal(t, "a", f.tables(t, "tenant_1"))
				_, err = r.Up(t.Context(), "tenant_1")
				require.ErrorAs(t, err, &failure, "and of one schema as well")
			})
		}
	}
}
