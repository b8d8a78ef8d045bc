package schemactx_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Triggers, policies and defaults read the user of a request from a setting, which ends with each
// unit of work.
func ExampleWithSettings() {
	s, done := newSchools()
	defer done()
	_, err := s.Owner.Exec(context.Background(), `
		create table school_a.grades (
			student text not null, grade int not null, entered_by text not null default current_setting('app.user_id'));
		grant select, insert on school_a.grades to `+pgx.Identifier{s.Roles.Tenant("school_a")}.Sanitize())
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := schemactx.New(s.Runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.Background(), "school_a") // from the tenant middleware
	request := schemactx.WithSettings(ctx, map[string]string{     // from the user middleware
		"app.user_id":       "ms-okafor",
		"statement_timeout": "3s",
	})

	var by string
	err = db.QueryRow(request, "insert into grades values ('Amara', 1) returning entered_by").Scan(&by)
	fmt.Println(by, err)

	// A transaction can have additional settings.
	opts := schemactx.TxOptions{Settings: map[string]string{"lock_timeout": "500ms"}}
	err = db.InTxOptions(request, opts, func(tx pgx.Tx) error {
		var user, lock string
		err := tx.QueryRow(request, "select current_setting('app.user_id'), current_setting('lock_timeout')").
			Scan(&user, &lock)
		fmt.Println(user, lock)
		return err
	})
	fmt.Println(err)

	var timeout string
	err = db.QueryRow(ctx, "select current_setting('app.user_id', true), current_setting('statement_timeout')").
		Scan(&by, &timeout)
	fmt.Printf("%q %q %v\n", by, timeout, err)

	_, err = db.Exec(schemactx.WithSettings(ctx, map[string]string{"Role": "postgres"}), "select 1")
	fmt.Println(err, errors.Is(err, schemactx.ErrSettingRefused))

	// Output:
	// ms-okafor <nil>
	// ms-okafor 500ms
	// <nil>
	// "" "0" <nil>
	// setting "Role" is set by the scope true
}
