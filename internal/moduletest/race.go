//go:build race

package moduletest

// race reports whether this test was built with -race.
const race = true
