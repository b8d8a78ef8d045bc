package wait_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/internal/wait"
)

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	t.Parallel()
	for attempt, whole := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		whole *= time.Millisecond
		for range 1000 {
			got := wait.Backoff(attempt, 100*time.Millisecond, time.Second)
			assert.LessOrEqual(t, got, whole, "attempt %d", attempt)
			assert.GreaterOrEqual(t, got, whole/2, "attempt %d", attempt)
		}
	}
	assert.LessOrEqual(t, wait.Backoff(1<<30, time.Second, time.Hour), time.Hour)
	assert.GreaterOrEqual(t, wait.Backoff(1<<30, time.Second, time.Hour), time.Hour/2)
}

func TestSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		assert.True(t, wait.Sleep(t.Context(), time.Second))
		assert.Equal(t, time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.False(t, wait.Sleep(ctx, time.Hour))
		assert.Equal(t, 2*time.Second, time.Since(start))
	})
}
