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
	for i := range uint64(maxAccounts + 10) {
		th.guess(i, start)
	}
	if len(th.full) != maxAccounts {
		t.Errorf("%d accounts, want %d", len(th.full), maxAccounts)
	}
	th.guess(1<<60, start.Add(time.Hour))
	if len(th.full) != 1 {
		t.Errorf("an hour later %d accounts", len(th.full))
	}
}
