package browsertest_test

import (
	"os"
	"testing"

	"github.com/oryne/pgtenant/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
