package erp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	th := newThrottle(guessing{burst: 3, every: time.Minute})
	start := time.Now()
	account, other := th.account("tenant_1", "a@example.com"), th.account("tenant_2", "a@example.com")
	for range 3 {
		require.Zero(t, th.guess(account, start))
	}
	wait := th.guess(account, start.Add(time.Second))
	assert.Equal(t, 59*time.Second, wait, "wait %v, want 59s", wait)
	wait = th.guess(other, start)
	assert.Zero(t, wait, "another account waits %v", wait)
	wait = th.guess(account, start.Add(time.Minute))
	assert.Zero(t, wait, "a minute later wait %v", wait)
	assert.Equal(t, time.Minute, th.guess(account, start.Add(time.Minute)), "then wait")
	th.forget(account)
	wait = th.guess(account, start.Add(time.Minute))
	assert.Zero(t, wait, "after the right password wait %v", wait)
}

func TestThrottleGivesOneGuessBack(t *testing.T) {
	t.Parallel()
	th := newThrottle(guessing{burst: 3, every: time.Minute})
	start := time.Now()
	account := th.account("tenant_1", "a@example.com")
	for range 3 {
		require.Zero(t, th.guess(account, start))
	}
	th.giveBack(account)
	assert.Zero(t, th.guess(account, start), "after a guess that was given back wait")
	assert.Equal(t, time.Minute, th.guess(account, start), "after three guesses wait")
	th.forget(account)
	th.giveBack(account)
	for range 3 {
		assert.Zero(t, th.guess(account, start))
	}
	assert.Equal(t, time.Minute, th.guess(account, start), "after the right password a guess was added")
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
	assert.Equal(t, maxAccounts, fill(maxAccounts, start), "accounts")
	th.guess(1<<60, start.Add(time.Hour))
	assert.Len(t, th.full, 1, "an hour later %d accounts", len(th.full))
	n := fill(maxAccounts+10, start.Add(time.Hour))
	assert.LessOrEqual(t, n, maxAccounts, "with too many there are %d accounts", n)
	assert.GreaterOrEqual(t, n, maxAccounts/2, "with too many there are %d accounts", n)
}
