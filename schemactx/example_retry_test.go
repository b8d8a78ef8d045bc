package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// A transaction that conflicts with another one is run again from its beginning.
func ExampleDB_InTxOptions() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.Background(), "school_a")
	opts := schemactx.TxOptions{TxOptions: pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, MaxRetries: 3}
	runs := 0
	err = db.InTxOptions(ctx, opts, func(tx pgx.Tx) error {
		runs++
		var name string
		if err := tx.QueryRow(ctx, "select name from students where id = 1").Scan(&name); err != nil {
			return err
		}
		if runs == 1 { // another transaction is faster
			if _, err := db.Exec(ctx, "update students set name = 'Amara B.' where id = 1"); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "update students set name = $1 where id = 1", name+" C.")
		return err
	})
	fmt.Println(runs, "runs,", err)

	var name string
	err = db.QueryRow(ctx, "select name from students where id = 1").Scan(&name)
	fmt.Println(name, err)

	// Output:
	// 2 runs, <nil>
	// Amara B. C. <nil>
}
