package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// A statement is prepared once for each connection and schema. A program can export the counts as
// metrics.
func ExampleDB_Stats() {
	s, done := newSchools()
	defer done()
	ctx := context.Background()
	cfg := s.Runtime.Config()
	cfg.MaxConns = 1 // so that all statements use one connection
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	db, err := schemactx.New(pool, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, school := range []string{"school_a", "school_a", "school_b", "school_b"} {
		if _, err := db.Exec(schemactx.NewContext(ctx, school), "select name from students"); err != nil {
			fmt.Println(err)
		}
	}
	stats := db.Stats()
	fmt.Println(stats.Switches, "switches,", stats.Misses, "prepared,", stats.Hits, "prepared before")

	// Output: 2 switches, 2 prepared, 2 prepared before
}
