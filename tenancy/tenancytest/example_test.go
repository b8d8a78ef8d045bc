package tenancytest_test

import (
	"context"
	"fmt"
	"log"
	"testing"
	"testing/fstest"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// A program's tests open one environment in TestMain; here it serves the one test of the example.
func Example() {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx) // yours is os.Getenv("TEST_DATABASE_URL")
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := closeDB(); err != nil {
			log.Println(err)
		}
	}()

	env, err := tenancytest.Open(ctx, pg.URL, tenancytest.Config{
		Tenant: []migrate.Source{{Name: "notes", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer env.Close(ctx)

	testNotes := func(t *testing.T) {
		a, b := env.Tenant(t), env.Tenant(t)
		env.AssertIsolated(t, a, b, func(ctx context.Context, tenant *tenancytest.Tenant) error {
			if _, err := env.DB.Exec(ctx, "insert into notes values ('mine')"); err != nil {
				return err
			}
			var n int
			if err := env.DB.QueryRow(ctx, "select count(*) from notes").Scan(&n); err != nil {
				return err
			}
			fmt.Println(n, "note")
			return nil
		})
	}
	fmt.Println(testing.RunTests(func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "TestNotes", F: testNotes}}))
	// Output:
	// 1 note
	// 1 note
	// true
}
