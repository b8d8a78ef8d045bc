package backup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSlotsAreSpreadEvenlyOverTheWindow(t *testing.T) {
	t.Parallel()
	const period, start, window = 24 * time.Hour, 22 * time.Hour, 4 * time.Hour // the window spans midnight
	now := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	hours := make(map[int]int)
	for id := range int64(4000) {
		slot := slotOf(id, now, period, start, window)
		require.False(t, slot.After(now), "tenant %d was last due at %v", id, slot)
		require.Less(t, now.Sub(slot), period, "tenant %d was last due at %v", id, slot)
		next := slotOf(id, now.Add(period), period, start, window)
		require.Equal(t, period, next.Sub(slot), "tenant %d is due at %v and %v", id, slot, next)
		hours[slot.Hour()]++
	}
	for _, h := range []int{22, 23, 0, 1} {
		assert.GreaterOrEqual(t, hours[h], 900, "%d of 4000 tenants at %d:00", hours[h], h)
		assert.LessOrEqual(t, hours[h], 1100, "%d of 4000 tenants at %d:00", hours[h], h)
	}
	assert.Len(t, hours, 4)
}

func TestASlotIsDueAtItsTime(t *testing.T) {
	t.Parallel()
	slot := slotOf(7, time.Now(), time.Hour, 0, time.Hour)
	for now, want := range map[time.Time]time.Time{
		slot: slot, slot.Add(-time.Microsecond): slot.Add(-time.Hour), slot.Add(time.Hour - time.Microsecond): slot,
		slot.Add(time.Hour): slot.Add(time.Hour),
	} {
		assert.WithinDuration(t, want, slotOf(7, now, time.Hour, 0, time.Hour), 0, "at %v", now)
	}
}
