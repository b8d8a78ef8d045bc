package manage

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLineOfABar(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		done, total, limit int
		want               string
	}{
		{0, 3, 0, "migrating   0% [                ] (0/3)"},
		{1, 100, 0, "migrating   1% [                ] (1/100)"},
		{2, 3, 0, "migrating  66% [=========>      ] (2/3)"},
		{3, 3, 0, "migrating 100% [================] (3/3)"},
		{3, 3, 20, "migrating 100% [==="},
		{3, 3, 39, "migrating 100% [================] (3/3"},
		{3, 3, 40, "migrating 100% [================] (3/3)"},
		{3, 3, 1, ""},
	} {
		b := bar{text: "migrating", done: test.done, total: test.total}
		assert.Equal(t, test.want, b.line(test.limit), "%d of %d in %d columns", test.done, test.total, test.limit)
	}
}

func TestABarIsNotDrawnTooOften(t *testing.T) {
	t.Parallel()
	var screen strings.Builder
	b := &bar{w: &screen}
	for done := range 1000 {
		b.set("copying", done, 1000)
	}
	assert.Less(t, strings.Count(screen.String(), eraseLine), 100, "states drawn")
	assert.Contains(t, screen.String(), "(0/1000)", "the first state is drawn")
	b.drawn = time.Now()
	b.set("copying", 1001, 1000) // more than the total, which was an estimate
	assert.True(t, strings.HasSuffix(screen.String(), "[================] (1000/1000)"), "the last state is drawn")
	b.clear()
	assert.True(t, strings.HasSuffix(screen.String(), eraseLine), "clear erases the line")
}
