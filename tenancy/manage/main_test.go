package manage_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// suite runs the tests with a server; the scripts run the commands as programs of their own.
type suite struct{ m *testing.M }

func (s suite) Run() int { return pgtest.Main(s.m) }

func TestMain(m *testing.M) {
	if os.Getenv("SCHOOL_TERMINAL") != "" { // a test has started this as the program itself
		school()
	}
	testscript.Main(suite{m}, map[string]func(){"school": school})
}

// school is the program: its commands.
func school() {
	os.Exit(manage.Run(context.Background(), manage.Command(programOf(os.Getenv).config())))
}
