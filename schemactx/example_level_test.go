package schemactx_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// At level Roles, the default, PostgreSQL itself refuses access to another tenant's table, also by
// its qualified name.
func ExampleLevel() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{Level: schemactx.Roles})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.Background(), "school_a")
	_, err = db.Exec(ctx, "select name from school_b.students")
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		fmt.Println(pgErr.Code, pgErr.Message)
	}

	// The runtime login has no privileges of its own, so it can read nothing without a scope.
	_, err = s.Runtime.Exec(ctx, "select name from school_b.students")
	if errors.As(err, &pgErr) {
		fmt.Println(pgErr.Code, pgErr.Message)
	}

	// Output:
	// 42501 permission denied for schema school_b
	// 42501 permission denied for schema school_b
}
