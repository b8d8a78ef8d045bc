package main

import (
	"context"
	"errors"
	"os"

	"github.com/oryne/pgtenant/tenancy/manage"
)

func main() {
	ctx, stop := stopWithGoRun(context.Background())
	defer stop()
	code := manage.Run(ctx, newCommand())
	stop()
	os.Exit(code)
}

// rootCause returns the innermost error, such as "address already in use".
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
