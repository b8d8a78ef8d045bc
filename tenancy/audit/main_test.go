package audit_test

import (
	"os"
	"testing"

	"github.com/oryne/pgtenant/internal/pgtest"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(processEnv); order != "" {
		os.Exit(runProcess(order))
	}
	os.Exit(pgtest.Main(m))
}
