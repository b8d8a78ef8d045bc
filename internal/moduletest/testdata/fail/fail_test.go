package fail

import "testing"

func TestFail(t *testing.T) {
	t.Run("good", func(t *testing.T) { t.Log("not shown") })
	t.Run("bad", func(t *testing.T) { t.Error("shown") })
}

func TestPanic(t *testing.T) { panic("a panic") }
