package tenancy_test

import (
	"os"
	"testing"

	"github.com/oryne/pgtenant/internal/pgtest"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(crashEnv); order != "" {
		os.Exit(runCrash(order))
	}
	os.Exit(pgtest.Main(m))
}
