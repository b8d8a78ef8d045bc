package manage_test

import (
	"fmt"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// A program that runs the commands without Run exits with the same codes.
func ExampleExitCode() {
	fmt.Println(manage.ExitCode(nil))
	fmt.Println(manage.ExitCode(fmt.Errorf("show: %w", tenancy.ErrNotFound)) == manage.CodeMissing)
	fmt.Println(manage.ExitCode(tenancy.ValidateSlug("Not a slug")) == manage.CodeUsage)
	fmt.Println(manage.ExitCode(migrate.ErrLocked) == manage.CodeFailed)

	// Output:
	// 0
	// true
	// true
	// true
}
