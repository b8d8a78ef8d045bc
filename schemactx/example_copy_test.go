package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// CopyFrom inserts many rows with COPY. The table is in the schema of the context.
func ExampleDB_CopyFrom() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.Background(), "school_b")
	names := []string{"Oskar", "Priya", "Quentin"}
	n, err := db.CopyFrom(ctx, pgx.Identifier{"students"}, []string{"name"},
		pgx.CopyFromSlice(len(names), func(i int) ([]any, error) { return []any{names[i]}, nil }))
	fmt.Println(n, err)

	// Output: 3 <nil>
}
