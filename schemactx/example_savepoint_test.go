package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// A nested transaction is a savepoint: a failure in it does not end the outer transaction.
func ExampleTx_Begin() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.Background(), "school_a")
	err = db.InTx(ctx, func(tx pgx.Tx) error {
		for _, id := range []int{2, 3} { // Bruno has number 2 already
			err := pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
				_, err := savepoint.Exec(ctx, "insert into students values ($1, 'Chandra')", id)
				return err
			})
			fmt.Printf("number %d is free: %t\n", id, err == nil)
		}
		return nil
	})
	fmt.Println(err)

	var n int
	err = db.QueryRow(ctx, "select count(*) from students").Scan(&n)
	fmt.Println(n, "students,", err)

	// Output:
	// number 2 is free: false
	// number 3 is free: true
	// <nil>
	// 3 students, <nil>
}
