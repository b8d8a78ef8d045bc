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

// A program opens one environment in TestMain; its tests are written as testNotes is.
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

	env, err := tenancytest.Open(ctx, pg.URL, notesConfig())
	if err != nil {
		log.Fatal(err)
	}
	defer env.Close(ctx)

	var tenants int
	if err := env.Owner.QueryRow(ctx, "select count(*) from tenants").Scan(&tenants); err != nil {
		log.Fatal(err)
	}
	fmt.Println("tenants before the first test:", tenants)
	// Output: tenants before the first test: 0
}

func notesConfig() tenancytest.Config {
	return tenancytest.Config{
		Tenant: []migrate.Source{{Name: "notes", FS: fstest.MapFS{
			"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		}}},
	}
}

// testNotes checks that writing and reading notes for one tenant touches no table of another
// tenant.
func testNotes(t *testing.T, env *tenancytest.Environment) {
	a, b := env.Tenant(t), env.Tenant(t)
	env.AssertIsolated(t, a, b, func(ctx context.Context, tenant *tenancytest.Tenant) error {
		if _, err := env.DB.Exec(ctx, "insert into notes values ('mine')"); err != nil {
			return err
		}
		var n int
		if err := env.DB.QueryRow(ctx, "select count(*) from notes").Scan(&n); err != nil {
			return err
		}
		if n != 1 {
			t.Errorf("tenant %s has %d notes, want 1", tenant.Slug, n)
		}
		return nil
	})
}
