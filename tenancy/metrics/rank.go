package metrics

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// halfLife is the half-life of activity.
	halfLife = 10 * time.Minute

	// stickiness is the factor for the score of a tenant that already has a series, so that two
	// tenants do not alternate.
	stickiness = 1.5

	// forgotten is the score below which a tenant without a series is no longer counted separately.
	forgotten = 0.01
)

// activity returns the count that decides which tenants have their own series: requests, statements
// and logins.
func (a *account) activity() (n uint64) {
	n = a.cell(cellStatements).Load() + a.cell(cellUnits).Load() + a.cell(cellLoginFailures).Load()
	for c := cellDecisions; c < cellDecisions+decisions; c++ {
		n += a.cell(c).Load()
	}
	for c := cellRequests; c < cellRequests+statusClasses; c++ {
		n += a.cell(c).Load()
	}
	return n
}

// series are the values that one scrape shows of an account.
type series struct {
	name  string   // value of the label tenant
	cells []uint64 // shown values by cell
	held  int64    // connections in use
}

// goneFunc reports whether a schema is known to belong to no tenant any more. createdAt is the time
// at which its account was created.
type goneFunc func(schema string, createdAt time.Time) bool

// snapshot adds the increase of all counts to the shown values, and returns these: tenants with a
// series, public, none, and finally other.
func (l *ledger) snapshot(now time.Time, gone goneFunc) []series {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rank(now, gone)
	for _, a := range l.retired {
		a.showIn(l.other)
	}
	l.rest.showIn(l.other)
	all := make([]series, 0, l.top+3)
	others := series{name: otherName, held: l.rest.counters.held.Load()}
	for _, a := range l.list {
		if a.named {
			all = append(all, a.series())
		} else {
			a.showIn(l.other)
			others.held += max(a.counters.held.Load(), 0)
		}
	}
	others.cells = slices.Clone(l.other)
	return append(all, l.public.series(), l.none.series(), others)
}

// showIn adds the increase of the account's counts since the last call to shown.
func (a *account) showIn(shown []uint64) {
	for c := range cellBuckets {
		a.move(int(c), a.cell(c).Load(), shown)
	}
	for i := range a.buckets {
		a.move(int(cellBuckets)+i, a.buckets[i].Load(), shown)
	}
}

// move adds the increase of one count to shown. n is the current value of the count.
func (a *account) move(i int, n uint64, shown []uint64) {
	if n != a.seen[i] {
		shown[i] += n - a.seen[i]
		a.seen[i] = n
	}
}

// series returns the shown values of an account with a series. A new series first shows its
// former values, because rate() and increase() ignore the first value of a series.
func (a *account) series() series {
	if a.fresh {
		a.fresh = false
	} else {
		a.showIn(a.shown)
	}
	return series{name: a.schema, cells: slices.Clone(a.shown), held: max(a.counters.held.Load(), 0)}
}

// rank decides which tenants have a series. It does so if the interval has passed, or if a series
// is free and a tenant without one has been active.
func (l *ledger) rank(now time.Time, gone goneFunc) {
	first := l.ranked.IsZero()
	due := first || now.Sub(l.swept) >= l.interval
	if !due && !l.vacant() {
		return
	}
	decay := math.Exp2(-max(now.Sub(l.ranked), 0).Seconds() / halfLife.Seconds())
	for _, a := range l.list {
		activity := a.activity()
		a.score = a.score*decay + float64(activity-a.lastActivity)
		a.lastActivity = activity
	}
	l.ranked = now
	l.assign(gone)
	if first {
		for _, a := range l.list {
			a.fresh = false // the first scrape shows all counts
		}
	}
	if due {
		l.swept = now
		l.sweep(gone)
	}
}

// sweep removes accounts that no longer need to be counted separately.
func (l *ledger) sweep(gone goneFunc) {
	for _, a := range l.retired { // by the last sweep, so that no hook counts in them any more
		a.showIn(l.other)
	}
	clear(l.retired)
	l.retired = l.retired[:0]
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(a *account) bool {
		idle := !a.named && a.score < forgotten && (a.shown == nil || gone(a.schema, a.createdAt))
		return idle && l.retire(a)
	})
	if len(l.list) < before {
		l.rebuild()
	}
}

// vacant reports whether a series is free and a tenant without one has been active since the last
// ranking.
func (l *ledger) vacant() bool {
	named, waiting := 0, false
	for _, a := range l.list {
		if a.named {
			named++
		} else if !waiting && a.activity() > a.lastActivity {
			waiting = true
		}
	}
	return waiting && named < l.top
}

// assign gives the series to the tenants with the highest rank scores. If no other tenant competes
// for a series, its tenant keeps it as long as the tenant exists.
func (l *ledger) assign(gone goneFunc) {
	candidates := make([]*account, 0, len(l.list))
	for _, a := range l.list {
		if (a.named || a.score >= forgotten) && !gone(a.schema, a.createdAt) {
			candidates = append(candidates, a)
		}
	}
	slices.SortFunc(candidates, func(a, b *account) int {
		return cmp.Or(cmp.Compare(b.rankScore(), a.rankScore()), cmp.Compare(a.schema, b.schema))
	})
	winners := candidates[:min(l.top, len(candidates))]
	won := make(map[*account]bool, len(winners))
	for _, a := range winners {
		won[a] = true
		if !a.named {
			a.name()
			a.fresh = true
		}
	}
	for _, a := range l.list {
		a.named = won[a] // further counts of a tenant that has lost its series go to other
	}
}

// rankScore returns the score that assign compares.
func (a *account) rankScore() float64 {
	if a.named {
		return a.score * stickiness
	}
	return a.score
}
