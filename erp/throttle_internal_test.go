package erp

import (
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	th := newThrottle(guessing{burst: 3, every: time.Minute})
	start := time.Now()
	account, other := th.account("tenant_1", "a@example.com"), th.account("tenant_2", "a@example.com")
	for range 3 {
		if wait := th.guess(account, start); wait != 0 {
			t.Fatalf("wait %v", wait)
		}
	}
	if wait := th.guess(account, start.Add(time.Second)); wait != 59*time.Second {
		t.Errorf("wait %v, want 59s", wait)
	}
	if wait := th.guess(other, start); wait != 0 {
		t.Errorf("another account waits %v", wait)
	}
	if wait := th.guess(account, start.Add(time.Minute)); wait != 0 {
		t.Errorf("a minute later wait %v", wait)
	}
	if wait := th.guess(account, start.Add(time.Minute)); wait != time.Minute {
		t.Errorf("then wait %v", wait)
	}
	th.forget(account)
	if wait := th.guess(account, start.Add(time.Minute)); wait != 0 {
		t.Errorf("after the right password wait %v", wait)
	}
}

func TestThrottleForgetsWhatItCan(t *testing.T) {
	t.Parallel()
	th := newThrottle(guessing{burst: 2, every: time.Minute})
	start := time.Now()
	fill := func(n uint64, at time.Time) int {
		for i := range n {
			th.guess(i, at)
		}
		return len(th.full)
	}
	if n := fill(maxAccounts, start); n != maxAccounts {
		t.Errorf("%d accounts", n)
	}
	if th.guess(1<<60, start.Add(time.Hour)); len(th.full) != 1 {
		t.Errorf("an hour later %d accounts", len(th.full))
	}
	if n := fill(maxAccounts+10, start.Add(time.Hour)); n > maxAccounts || n < maxAccounts/2 {
		t.Errorf("with too many there are %d accounts", n)
	}
}
