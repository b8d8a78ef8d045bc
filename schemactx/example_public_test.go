package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Data that tenants share is in the schema public. WithPublic runs work on it, with the privileges
// of the public role.
func ExampleWithPublic() {
	s, done := newSchools()
	defer done()
	ctx := context.Background()
	err := pgx.BeginFunc(ctx, s.Owner, func(tx pgx.Tx) error { // a migration
		_, err := tx.Exec(ctx, "create table public.holidays (day date, name text)")
		if err == nil {
			_, err = tx.Exec(ctx, "grant select on public.holidays to "+s.Roles.Public())
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	const sql = "select count(*) from holidays"
	var n int
	err = schemactx.WithPublic(ctx, func(ctx context.Context) error {
		return db.QueryRow(ctx, sql).Scan(&n)
	})
	fmt.Println(n, "holidays,", err)

	// The schema public is not on a tenant's search path.
	err = schemactx.WithSchema(ctx, "school_a", func(ctx context.Context) error {
		return db.QueryRow(ctx, sql).Scan(&n)
	})
	fmt.Println(err)

	// Output:
	// 0 holidays, <nil>
	// ERROR: relation "holidays" does not exist (SQLSTATE 42P01)
}
