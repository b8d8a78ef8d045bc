package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// The same statement with two contexts reads two tables.
func ExampleWithSchema() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, school := range []string{"school_a", "school_b"} {
		err := schemactx.WithSchema(context.Background(), school, func(ctx context.Context) error {
			rows, err := db.Query(ctx, "select name from students order by name")
			if err != nil {
				return err
			}
			names, err := pgx.CollectRows(rows, pgx.RowTo[string])
			fmt.Println(school, names)
			return err
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	_, err = db.Query(context.Background(), "select name from students")
	fmt.Println("without a schema:", err)

	// Output:
	// school_a [Amara Bruno]
	// school_b [Mateo Nadia]
	// without a schema: no schema in the context
}
