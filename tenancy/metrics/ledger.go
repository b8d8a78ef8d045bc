package metrics

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oryne/pgtenant/schemactx"
)

// Values of the label tenant that are not schemas. No schema can be named public or none.
const (
	publicName = schemactx.Public
	noneName   = "none"
	otherName  = "other"
)

// ledger counts each tenant separately and decides at each scrape under which label value the
// increase is shown. The package comment says why shown values never decrease.
type ledger struct {
	buckets    int           // number of duration buckets, including that for +Inf
	top, limit int           // Config.TopTenants, at least 0, and Config.MaxTenants
	interval   time.Duration // Config.RankInterval
	seed       maphash.Seed
	table      atomic.Pointer[table] // all accounts except none, rest and the retired ones

	public, none *account // always have series of their own
	rest         *account // for names that are no schema names, and for tenants beyond the limit

	mu      sync.Mutex
	list    []*account // the accounts of tenants: those in the table except public
	retired []*account // removed accounts; a hook that looked one up before may still count in it
	other   []uint64   // shown values of the label value "other"
	ranked  time.Time  // when the scores were last computed; the zero time: never
	swept   time.Time  // when accounts were last removed; the next interval starts here
	count   atomic.Int64

	// The connections in use that count in rest, by schema. open moves those of its schema to the new
	// account, so that free always finds the account that hold has counted them in.
	restMu   sync.Mutex // after mu; a scrape does not hold it
	restHeld map[string]int64
}

// counters is the part of an account that each statement uses. It is separate because cache misses
// dominate the cost of a hook: these parts of 10,000 tenants take one megabyte, whole accounts
// would take twelve.
type counters struct {
	length uint8                      // of key
	key    [schemactx.MaxNameLen]byte // the schema, stored here so that a lookup follows no pointer
	held   atomic.Int64               // connections in use; near dead: the account was removed
	cells  [statementCells]atomic.Uint64
	*account
}

// account holds the counts of one tenant.
type account struct {
	counters *counters
	hash     uint64
	cold     [cellBuckets - statementCells]atomic.Uint64
	buckets  []atomic.Uint64

	// Guarded by the ledger's mu.
	schema       string
	createdAt    time.Time // when the account was created
	seen         []uint64  // values of cells and buckets up to which the counts are in shown or in ledger.other
	shown        []uint64  // values of the tenant's own series; nil: it never had one
	named        bool      // whether the tenant has its own series
	fresh        bool      // it got the series in this scrape; newer counts follow in the next one
	score        float64   // decaying average of the activity
	lastActivity uint64    // activity when the score was last computed
}

// dead is the value of held of a removed account.
const dead = -1 << 62

func newLedger(cfg Config) *ledger {
	l := &ledger{
		buckets: len(cfg.Buckets) + 1, top: max(cfg.TopTenants, 0), limit: cfg.MaxTenants, interval: cfg.RankInterval,
		seed: maphash.MakeSeed(), restHeld: make(map[string]int64),
	}
	l.public, l.none, l.rest = l.newAccount(publicName), l.newAccount(noneName), l.newAccount(otherName)
	l.public.name()
	l.none.name()
	l.other = make([]uint64, l.rest.width())
	l.table.Store(newTable(0).put(l.public))
	return l
}

func (l *ledger) newAccount(schema string) *account {
	a := &account{
		schema: schema, hash: hashOf(l.seed, schema), createdAt: time.Now(), buckets: make([]atomic.Uint64, l.buckets),
	}
	a.counters = &counters{length: uint8(len(schema)), account: a}
	copy(a.counters.key[:], schema)
	a.seen = make([]uint64, a.width())
	return a
}

func (a *account) width() int { return int(cellBuckets) + len(a.buckets) }

// name gives the account its own series.
func (a *account) name() {
	a.named = true
	if a.shown == nil {
		a.shown = make([]uint64, a.width())
	}
}

func (a *account) cell(c cell) *atomic.Uint64 {
	if c < statementCells {
		return &a.counters.cells[c]
	}
	return &a.cold[c-statementCells]
}

func (a *account) add(c cell, n uint64) { a.cell(c).Add(n) }

// of returns the account of a schema, and creates it if necessary. schema may be public, a tenant's
// schema, or any other text of a context.
func (l *ledger) of(schema string) *counters {
	hash := hashOf(l.seed, schema)
	if a := l.table.Load().get(hash, schema); a != nil {
		return a
	}
	return l.open(hash, schema)
}

// open returns the account of a schema that the table lacks. It creates an account for a valid name
// within the limit. The result is none for "", and rest for any other text.
func (l *ledger) open(hash uint64, schema string) *counters {
	if schema == "" {
		return l.none.counters
	}
	if schemactx.ValidateName(schema) != nil || schema == otherName || l.count.Load() >= int64(l.limit) {
		return l.rest.counters
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.table.Load().get(hash, schema); a != nil {
		return a
	}
	a := l.newAccount(schema)
	l.restMu.Lock()
	defer l.restMu.Unlock()
	held := l.restHeld[schema]
	delete(l.restHeld, schema)
	l.rest.counters.held.Add(-held)
	a.counters.held.Store(held)
	l.table.Store(l.table.Load().put(a))
	l.list = append(l.list, a)
	l.count.Add(1)
	return a.counters
}

// hold counts a connection in use and returns its account.
func (l *ledger) hold(schema string) *counters {
	for {
		h := l.of(schema)
		if h == l.rest.counters {
			if l.holdInRest(schema) {
				return h
			}
		} else if h.held.Add(1) > dead/2 {
			return h
		}
		// The account was removed or opened after the lookup; the next lookup returns another one.
	}
}

// holdInRest counts a connection in rest, or returns false if the schema has an account by now.
func (l *ledger) holdInRest(schema string) bool {
	l.restMu.Lock()
	defer l.restMu.Unlock()
	if l.table.Load().get(hashOf(l.seed, schema), schema) != nil {
		return false
	}
	l.restHeld[schema]++
	l.rest.counters.held.Add(1)
	return true
}

// free ends the use of a connection that hold counted. It opens no account: there may be room for
// one only since the hold.
func (l *ledger) free(schema string) {
	if schema == "" {
		l.none.counters.held.Add(-1)
		return
	}
	hash := hashOf(l.seed, schema)
	if h := l.table.Load().get(hash, schema); h != nil {
		h.held.Add(-1)
		return
	}
	l.restMu.Lock()
	defer l.restMu.Unlock()
	if h := l.table.Load().get(hash, schema); h != nil { // it was opened after the first lookup
		h.held.Add(-1)
		return
	}
	l.rest.counters.held.Add(-1)
	if l.restHeld[schema]--; l.restHeld[schema] == 0 {
		delete(l.restHeld, schema)
	}
}

// retire removes an account if no connection is in use under it. Call [ledger.rebuild] afterwards.
func (l *ledger) retire(a *account) bool {
	if !a.counters.held.CompareAndSwap(0, dead) {
		return false
	}
	l.retired = append(l.retired, a)
	l.count.Add(-1)
	return true
}

// rebuild replaces the table by one with the remaining accounts.
func (l *ledger) rebuild() {
	t := newTable(len(l.list) + 1)
	t.enter(l.public)
	for _, a := range l.list {
		t.enter(a)
	}
	l.table.Store(t)
}
