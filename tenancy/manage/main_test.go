package manage_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// suite runs the tests with a server. The scripts start the test binary as the program.
type suite struct{ m *testing.M }

func (s suite) Run() int { return pgtest.Main(s.m) }

func TestMain(m *testing.M) {
	if os.Getenv("SCHOOL_TERMINAL") != "" { // a test has started this process as the program
		school()
	}
	testscript.Main(suite{m}, map[string]func(){"school": school})
}

// school is the main function of the program under test.
func school() {
	os.Exit(manage.Run(context.Background(), manage.Command(programOf(os.Getenv).config())))
}
