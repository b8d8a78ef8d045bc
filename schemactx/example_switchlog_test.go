package schemactx_test

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"strings"

	"github.com/oryne/pgtenant/schemactx"
)

// Every explicit switch of the schema is logged and counted.
func ExampleLogSwitches() {
	s, done := newSchools()
	defer done()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: shortSite}))
	db, err := schemactx.New(
		s.Runtime,
		schemactx.Config{Hooks: schemactx.Hooks{SchemaSwitch: schemactx.LogSwitches(logger)}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := schemactx.NewContext(context.Background(), "school_a") // from the request
	err = schemactx.WithSchema(ctx, "school_b", func(ctx context.Context) error {
		_, err := db.Exec(ctx, "select 1")
		return err
	})
	fmt.Print(strings.Replace(log.String(), " file=", "\n  file=", 1))
	fmt.Println(err, db.Stats().Explicit)

	// Output:
	// level=INFO msg="explicit switch of schema" to=school_b from=school_a
	//   file=example_switchlog_test.go line=29 func=schemactx_test.ExampleLogSwitches
	// <nil> 1
}

// shortSite shortens the attributes that differ from run to run.
func shortSite(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey:
		return slog.Attr{}
	case "file", "func":
		return slog.String(a.Key, path.Base(a.Value.String()))
	}
	return a
}
