package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// The statements of a batch are sent together and run in one transaction.
func ExampleDB_SendBatch() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := schemactx.NewContext(context.Background(), "school_a")

	batch := &pgx.Batch{}
	batch.Queue("insert into students (name) values ($1)", "Chandra")
	batch.Queue("select count(*) from students").QueryRow(func(row pgx.Row) error {
		var n int
		err := row.Scan(&n)
		fmt.Println(n, "students")
		return err
	})
	fmt.Println(db.SendBatch(ctx, batch).Close())

	batch = &pgx.Batch{}
	batch.Queue("delete from students")
	batch.Queue("select 1 / 0")
	fmt.Println(db.SendBatch(ctx, batch).Close())

	var n int
	err = db.QueryRow(ctx, "select count(*) from students").Scan(&n)
	fmt.Println(n, "students,", err)

	// Output:
	// 3 students
	// <nil>
	// ERROR: division by zero (SQLSTATE 22012)
	// 3 students, <nil>
}
