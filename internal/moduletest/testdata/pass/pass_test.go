package pass

import (
	"fmt"
	"os"
	"testing"
)

func TestPass(t *testing.T) {
	t.Run("of two words", func(t *testing.T) { t.Log("a message") })
	t.Run("of two words", func(t *testing.T) {})
	t.Run("skipped", func(t *testing.T) { t.Skip("a reason") })
}

func TestArguments(*testing.T) { fmt.Println(os.Args[1:]) }

func Example() {
	fmt.Println("an example")
	// Output: an example
}
