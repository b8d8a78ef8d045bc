package redislimit_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestMain leaves the examples out where there is no redis-server and none is required: they cannot
// skip themselves.
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
