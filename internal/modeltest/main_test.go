package modeltest

import (
	"flag"
	"os"
	"testing"

	"github.com/oryne/pgtenant/internal/pgtest"
)

// TestMain sets rapid's defaults for a run with the other tests. Flags are parsed later and
// override them: -rapid.checks=10000 runs for longer.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"rapid.checks":     "12",
		"rapid.steps":      "25",
		"rapid.shrinktime": "20s",
		"rapid.nofailfile": "true",
	} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(pgtest.Main(m))
}
