package schemactx_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Mood is an enum in each school's schema, as sqlc generates it.
type Mood string

// Address is a composite type in each school's schema.
type Address struct {
	Street string
	Number int32
}

// Each schema has its own types. Arguments and results have those of the schema that the statement
// runs in.
func ExampleConfig_types() {
	s, done := newSchools()
	defer done()
	for _, school := range []string{"school_a", "school_b"} {
		_, err := s.Owner.Exec(context.Background(), `
			create type `+school+`.mood as enum ('sad', 'ok', 'happy');
			create type `+school+`.address as (street text, number int);
			alter table `+school+`.students add column mood `+school+`.mood not null default 'ok',
				add column home `+school+`.address;
			update `+school+`.students set mood = 'happy', home = ('`+school+` street', 7) where id = 1`)
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	db, err := schemactx.New(s.Runtime, schemactx.Config{Types: []string{"mood", "address"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, school := range []string{"school_a", "school_b"} {
		ctx := schemactx.NewContext(context.Background(), school)
		_, err := db.Exec(ctx, "update students set home = $1 where home is null", Address{Street: "Main Street", Number: 1})
		if err != nil {
			fmt.Println(err)
			return
		}
		rows, err := db.Query(ctx, "select name, mood, home from students where mood = any($1::mood[]) order by id",
			[]Mood{"happy", "ok"})
		if err != nil {
			fmt.Println(err)
			return
		}
		var name string
		var mood Mood
		var home Address
		_, err = pgx.ForEachRow(rows, []any{&name, &mood, &home}, func() error {
			fmt.Printf("%s: %s is %s and lives at %d %s\n", school, name, mood, home.Number, home.Street)
			return nil
		})
		if err != nil {
			fmt.Println(err)
		}
	}

	// Output:
	// school_a: Amara is happy and lives at 7 school_a street
	// school_a: Bruno is ok and lives at 1 Main Street
	// school_b: Mateo is happy and lives at 7 school_b street
	// school_b: Nadia is ok and lives at 1 Main Street
}
