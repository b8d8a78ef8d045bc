package manage

import (
	"context"
	"errors"
	"testing"
)

var errFull = errors.New("no space left on device")

// fullDisk takes so many writes.
type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left--; d.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	text := func(p *printer) func() {
		return func() {
			p.linef("one")
			p.fields("name", "two")
			p.table([][]string{{"three"}, {"four"}})
		}
	}
	for left := range 6 {
		p := &printer{w: &fullDisk{left}}
		if err := p.result(nil, text(p)); errors.Is(err, errFull) != (left < 4) {
			t.Errorf("with room for %d lines of 4: %v", left, err)
		}
	}
	p := &printer{w: &fullDisk{}, json: true}
	if err := p.result(1, nil); !errors.Is(err, errFull) {
		t.Errorf("JSON: %v", err)
	}
}

func TestACommandHasFailedWhereALineCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	list := written(func(_ context.Context, c *call) error {
		c.table([][]string{{"one"}, {"two"}})
		return nil
	})
	for left, want := range map[int]error{0: errFull, 1: errFull, 2: nil} {
		if err := list(t.Context(), &call{printer: printer{w: &fullDisk{left}}}); !errors.Is(err, want) {
			t.Errorf("with room for %d lines of 2: %v", left, err)
		}
	}
}
