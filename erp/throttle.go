package erp

import (
	"hash/maphash"
	"sync"
	"time"
)

// guessing limits the guesses of a password.
type guessing struct {
	burst int           // number of wrong passwords in a row
	every time.Duration // interval at which a further guess becomes available
}

var defaultGuesses = guessing{burst: 10, every: time.Minute}

// maxAccounts limits the memory of a throttle to a few megabytes.
const maxAccounts = 100_000

// throttle limits the guesses of the password of one account, for all clients together, and also if
// the account does not exist. It keeps its state in the memory of the process. An account under
// attack is locked for its owner too, which is better than a guessed password; existing sessions
// continue.
type throttle struct {
	guesses guessing
	seed    maphash.Seed

	mu   sync.Mutex
	full map[uint64]time.Time // by account: the time at which all guesses are available again
}

func newThrottle(g guessing) *throttle {
	return &throttle{guesses: g, seed: maphash.MakeSeed(), full: make(map[uint64]time.Time)}
}

// account returns the key of an address in a school.
func (t *throttle) account(school, email string) uint64 {
	return maphash.Comparable(t.seed, [2]string{school, email})
}

// guess uses one guess at now and returns 0, or returns the time until one is available.
func (t *throttle) guess(account uint64, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	full := t.full[account]
	if full.Before(now) {
		full = now
	}
	full = full.Add(t.guesses.every)
	if wait := full.Sub(now) - time.Duration(t.guesses.burst)*t.guesses.every; wait > 0 {
		return wait
	}
	t.makeRoom(now)
	t.full[account] = full
	return 0
}

// giveBack undoes a guess whose password was not compared.
func (t *throttle) giveBack(account uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if full, ok := t.full[account]; ok { // not after forget
		t.full[account] = full.Add(-t.guesses.every)
	}
}

// forget makes all guesses of an account available again, after a right password.
func (t *throttle) forget(account uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.full, account)
}

// makeRoom forgets the accounts with all guesses available or, if there are none, any accounts.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.full) < maxAccounts {
		return
	}
	for account, full := range t.full {
		if !full.After(now) {
			delete(t.full, account)
		}
	}
	for account := range t.full { // in random order; a tenth at once, so that this happens rarely
		if len(t.full) < maxAccounts*9/10 {
			return
		}
		delete(t.full, account)
	}
}
