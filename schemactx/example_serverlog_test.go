package schemactx_test

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/schemactx"
)

type requestIDKey struct{}

// With %a in log_line_prefix, PostgreSQL's log lines about a statement show its tenant and request.
func ExampleServerLog() {
	s, done := newSchools()
	defer done()
	db, err := schemactx.New(s.Runtime, schemactx.Config{
		ServerLog: schemactx.ServerLogApplicationName,
		RequestID: func(ctx context.Context) string { // or tenanthttp.RequestID
			id, _ := ctx.Value(requestIDKey{}).(string)
			return id
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.WithValue(context.Background(), requestIDKey{}, "0198f3c2"), "school_a")
	var name string
	err = db.QueryRow(ctx, "select current_setting('application_name')").Scan(&name)
	fmt.Println(name, err)

	// Output:
	// school_a/0198f3c2 <nil>
}
