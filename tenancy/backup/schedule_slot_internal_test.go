package backup

import (
	"testing"
	"time"
)

func TestMomentsAreSpreadEvenlyOverTheWindow(t *testing.T) {
	t.Parallel()
	const period, start, window = 24 * time.Hour, 22 * time.Hour, 4 * time.Hour // over midnight
	now := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	hours := make(map[int]int)
	for id := range int64(4000) {
		slot := slotOf(id, now, period, start, window)
		if slot.After(now) || now.Sub(slot) >= period {
			t.Fatalf("tenant %d was last due at %v", id, slot)
		}
		if next := slotOf(id, now.Add(period), period, start, window); next.Sub(slot) != period {
			t.Fatalf("tenant %d is due at %v and %v", id, slot, next)
		}
		hours[slot.Hour()]++
	}
	for _, h := range []int{22, 23, 0, 1} {
		if hours[h] < 900 || hours[h] > 1100 {
			t.Errorf("%d of 4000 tenants at %d:00", hours[h], h)
		}
	}
	if len(hours) != 4 {
		t.Errorf("hours %v", hours)
	}
}

func TestASlotIsReachedAtItsMoment(t *testing.T) {
	t.Parallel()
	slot := slotOf(7, time.Now(), time.Hour, 0, time.Hour)
	for now, want := range map[time.Time]time.Time{
		slot: slot, slot.Add(-time.Microsecond): slot.Add(-time.Hour), slot.Add(time.Hour - time.Microsecond): slot,
		slot.Add(time.Hour): slot.Add(time.Hour),
	} {
		if got := slotOf(7, now, time.Hour, 0, time.Hour); !got.Equal(want) {
			t.Errorf("at %v: %v, want %v", now, got, want)
		}
	}
}
