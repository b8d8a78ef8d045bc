package schemactx_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// A tenant that holds all of its connections waits for one of them. Other tenants do not wait.
func ExampleLimits() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{
		Limits: func(schema string) schemactx.Limits {
			return schemactx.Limits{MaxConns: 1, StatementTimeout: 5 * time.Second}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	a := schemactx.NewContext(context.Background(), "school_a")
	b := schemactx.NewContext(context.Background(), "school_b")
	err = db.InTx(a, func(pgx.Tx) error { // holds the only connection of school_a
		soon, cancel := context.WithTimeout(a, 10*time.Millisecond)
		defer cancel()
		_, err := db.Exec(soon, "select 1")
		var limit *schemactx.LimitError
		if errors.As(err, &limit) {
			fmt.Println(limit.Schema, "may hold", limit.MaxConns, "and waited:", limit.Err)
		}
		_, err = db.Exec(b, "select 1")
		return err
	})
	fmt.Println(err)

	var timeout string
	err = db.QueryRow(b, "select current_setting('statement_timeout')").Scan(&timeout)
	fmt.Println(timeout, err)

	// Output:
	// school_a may hold 1 and waited: context deadline exceeded
	// <nil>
	// 5s <nil>
}
