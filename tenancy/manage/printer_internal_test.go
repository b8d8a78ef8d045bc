package manage

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

var errFull = errors.New("no space left on device")

// fullDisk is a writer that accepts left writes and then fails.
type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.left--; d.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAFailedWriteIsAnError(t *testing.T) {
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
		err := p.result(nil, text(p))
		assert.Equal(t, left < 4, errors.Is(err, errFull), "with room for %d lines of 4: %v", left, err)
	}
	p := &printer{w: &fullDisk{}, json: true}
	assert.ErrorIs(t, p.result(1, nil), errFull, "JSON")
}

func TestACommandFailsIfALineCannotBeWritten(t *testing.T) {
	t.Parallel()
	list := written(func(_ context.Context, c *call) error {
		c.table([][]string{{"one"}, {"two"}})
		return nil
	})
	for left, want := range map[int]error{0: errFull, 1: errFull, 2: nil} {
		assert.ErrorIs(t, list(t.Context(), &call{printer: printer{w: &fullDisk{left}}}), want,
			"with room for %d lines of 2", left)
	}
}
