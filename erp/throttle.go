package erp

import (
	"hash/maphash"
	"sync"
	"time"
)

// guessing is how often a password may be guessed.
type guessing struct {
	burst int           // wrong ones in a row
	every time.Duration // then one more each
}

var defaultGuesses = guessing{burst: 10, every: time.Minute}

// maxAccounts bounds the memory of a throttle, to a few megabytes.
const maxAccounts = 100_000

// throttle slows down who guesses the password of one account, whoever asks and whether there is such an account. It
// remembers in the memory of this process. An account under attack is slow for its owner too, which is better than
// guessed; sessions that there are go on.
type throttle struct {
	guesses guessing
	seed    maphash.Seed

	mu   sync.Mutex
	full map[uint64]time.Time // by account: when all guesses are there again
}

func newThrottle(g guessing) *throttle {
	return &throttle{guesses: g, seed: maphash.MakeSeed(), full: make(map[uint64]time.Time)}
}

// account returns what stands for the account of an address in a school.
func (t *throttle) account(school, email string) uint64 {
	return maphash.Comparable(t.seed, [2]string{school, email})
}

// guess takes a guess at now and returns 0, or for how long there is none.
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

// forget gives an account all its guesses back: the password was right.
func (t *throttle) forget(account uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.full, account)
}

// makeRoom forgets the accounts that have all their guesses again or, where there is none, any.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.full) < maxAccounts {
		return
	}
	for account, full := range t.full {
		if !full.After(now) {
			delete(t.full, account)
		}
	}
	for account := range t.full { // in no order, and more than one, so that it is not to be done for each
		if len(t.full) < maxAccounts*9/10 {
			return
		}
		delete(t.full, account)
	}
}
