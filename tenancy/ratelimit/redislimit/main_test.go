package redislimit_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestMain skips the examples if there is no redis-server, unless CI is set: examples cannot skip
// themselves.
func TestMain(m *testing.M) {
	flag.Parse()
	skip := flag.Lookup("test.skip").Value
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") == "" && skip.String() == "" {
		fmt.Fprintln(os.Stderr, "redislimit: examples are left out:", err)
		if err := skip.Set("^Example"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
