package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/oryne/pgtenant/migrate"
)

// An error names the file and the statement that the server refused, and the reason.
func ExampleError() {
	pool, done := newSchools()
	defer done()
	broken := fstest.MapFS{
		"00001_fees.sql": sqlFile("-- +goose Up\ncreate table fees (id int);\n\ninsert into fee values (1);\n"),
	}
	runner, err := migrate.New(pool, migrate.Config{Tenant: []migrate.Source{{Name: "fees", FS: broken}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := runner.Up(context.Background(), "school_a")
	var failure *migrate.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.File, "line", failure.Line, "statement", failure.Statement, failure.SQLState(), res.Applied)
	}

	// Output:
	// 00001_fees.sql line 4 statement 2 42P01 []
}
