package schemactx

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The text of a statement does not tell which functions it runs: those of policies, views,
// operators, defaults, casts, domains, triggers and of "s.func" are called out of sight. The
// catalogs tell. facts are what they say of one schema.
type facts struct {
	gen    uint64 // of the catalog, when they were loaded; 0 where they hold no longer
	loaded int64  // when, see [catalog.now]
	reads  bool   // a read in the schema may leave session state or change the scope
	writes bool   // a write may
}

const (
	// factsInterval is how often the fingerprint of the catalogs is compared, while the DB is in use.
	// The comparison may take a hundredth of the time, and waits longer where it is slow.
	factsInterval = time.Second
	// factsAge is when facts are loaded again though the fingerprint is the same: it does not change
	// with what is replaced in place.
	factsAge = time.Minute
	// factsShare is how much longer than a load the DB waits before it loads known facts again: two
	// percent of the time.
	factsShare = 50
	// factsRetry is when the catalogs are read again after they could not be.
	factsRetry = time.Minute
	// maxFacts bounds the schemas that facts are kept of: names come from statements too.
	maxFacts = 1 << 17
)

// catalog keeps the facts of the schemas that a DB works in. Facts of another generation than the
// catalog's are not used: every statement of their schema then counts as one that may leave session
// state.
type catalog struct {
	start  time.Time
	gen    atomic.Uint64 // of the facts that hold; 0 before the first fingerprint
	seen   atomic.Uint64 // counts the changes that have been seen; those that concern new schemas alone leave gen as it is
	next   atomic.Int64  // when the fingerprint is to be compared
	reload atomic.Int64  // when known facts may be loaded again
	blind  atomic.Int64  // until when nothing is read, because it failed
	facts  sync.Map      // of *facts, by schema
	size   atomic.Int64  // of facts
	last   atomic.Pointer[fingerprint]

	mu     sync.Mutex
	wanted map[string]bool // schemas that a transaction has met while it could not load their facts
}

// now counts from the DB's start, on the monotonic clock.
func (c *catalog) now() int64 { return int64(time.Since(c.start)) }

// known returns the facts of a schema if they are of this generation, else nil.
func (c *catalog) known(schema string, gen uint64) *facts {
	f, ok := c.facts.Load(schema)
	if !ok || f.(*facts).gen != gen {
		return nil
	}
	return f.(*facts)
}

// due reports whether the facts of a schema are to be loaded now: when there are none, and again,
// as often as is allowed, when they are of another generation or old.
func (c *catalog) due(schema string, now int64) bool {
	v, ok := c.facts.Load(schema)
	if !ok {
		return true
	}
	f := v.(*facts)
	return (f.gen != c.gen.Load() || now-f.loaded > int64(factsAge)) && now >= c.reload.Load()
}

// claim reports whether the caller is the one to compare the fingerprint now.
func (c *catalog) claim(now int64) bool {
	next := c.next.Load()
	return now >= next && c.next.CompareAndSwap(next, now+int64(factsInterval))
}

// compared takes note of what a comparison with f at that time has seen. It returns [catalog.seen],
// or 0 where another comparison has overtaken this one, so that it is unknown what has changed.
func (c *catalog) compared(f *fingerprint, now int64, saw comparison, took time.Duration) uint64 {
	c.next.Store(c.now() + int64(max(factsInterval, 100*took)))
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last.Load()
	switch {
	case last != nil && last.counts == saw.counts:
		return c.seen.Load()
	case last != f:
		c.changed()
		return 0
	case f != nil && f.old == saw.old:
		c.invalidate(saw.newer)
	default:
		c.gen.Add(1)
	}
	c.last.Store(f.after(saw, now))
	return c.seen.Add(1)
}

// outdate has the facts of some schemas loaded again before they are used. Names that belonged to
// no schema have facts too.
func (c *catalog) invalidate(schemas []string) {
	for _, schema := range schemas {
		if v, ok := c.facts.Load(schema); ok {
			c.facts.Store(schema, &facts{loaded: v.(*facts).loaded})
		}
	}
}

// learned keeps facts, unless a change has been seen since the comparison that went in front of
// them. Schemas that do not exist have some too: a name in a statement is often no schema.
func (c *catalog) learned(all map[string]*facts, seen uint64, took time.Duration) {
	now := c.now()
	c.reload.Store(now + factsShare*int64(took))
	c.mu.Lock()
	defer c.mu.Unlock()
	if seen != c.seen.Load() {
		return
	}
	if c.size.Add(int64(len(all))) > maxFacts {
		c.facts.Clear()
		c.size.Store(int64(len(all)))
	}
	worse := false
	for schema, f := range all {
		f.gen, f.loaded = c.gen.Load(), now
		if before, again := c.facts.Swap(schema, f); again {
			c.size.Add(-1)
			b := before.(*facts)
			worse = worse || b.gen == f.gen && (f.reads && !b.reads || f.writes && !b.writes)
		}
	}
	if worse { // something was replaced in place, which the fingerprint does not show: see watch
		c.seen.Add(1)
	}
}

// failed notes that the catalogs cannot be read. Nothing that is known holds any longer.
func (c *catalog) failed() {
	c.blind.Store(c.now() + int64(factsRetry))
	c.expire()
}

// expire has all facts loaded again before they are used.
func (c *catalog) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen.Add(1)
	c.seen.Add(1)
}

// changed has the fingerprint compared by the next unit of work.
func (c *catalog) changed() { c.next.Store(0) }

// forget has all facts loaded again.
func (c *catalog) forget() {
	c.expire()
	c.reload.Store(0)
	c.changed()
}

// want notes schemas whose facts the next unit of work that can is to load.
func (c *catalog) want(schema string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted == nil {
		c.wanted = make(map[string]bool)
	}
	if len(c.wanted) < 100 {
		c.wanted[schema] = true
	}
	c.next.Store(0)
}

// takeWanted returns what want has noted.
func (c *catalog) takeWanted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := slices.Collect(maps.Keys(c.wanted))
	clear(c.wanted)
	return names
}

// look is what a unit of work reads of the catalogs in front of its first statement.
type catalogRead struct {
	fingerprint bool
	last        *fingerprint // that it compares with
	schemas     []string     // whose facts it loads
}

func (l catalogRead) due() bool { return l.fingerprint || len(l.schemas) > 0 }

// plan decides what the unit is to read of the catalogs.
func (u *unitOfWork) planCatalogRead() {
	c := &u.db.catalog
	u.noteCatalogChange()
	now := c.now()
	u.now = now
	if now < c.blind.Load() {
		return
	}
	if u.catalogRead.fingerprint = c.claim(now); u.catalogRead.fingerprint {
		u.catalogRead.schemas = c.takeWanted()
	}
	for _, schema := range u.scope.schemas {
		if c.due(schema, now) {
			u.catalogRead.schemas = append(u.catalogRead.schemas, schema)
		}
	}
}

// watch has a connection scrubbed for the next tenant once the catalogs have changed: before the
// change was seen, the last tenant may have run functions that the DB did not know of.
func (u *unitOfWork) noteCatalogChange() {
	seen := u.db.catalog.seen.Load()
	if u.state.last != "" && u.state.seen != seen {
		u.state.markDirty(u.state.last)
		u.state.preparedDirty = true
	}
	u.state.seen = seen
}

// meet adds the schemas that a statement names to what the unit reads, where it has not begun.
func (u *unitOfWork) needFacts(tx *txState, schemas []string) {
	c := &u.db.catalog
	for _, schema := range schemas {
		switch {
		case u.now < c.blind.Load() || !c.due(schema, u.now):
		case tx != nil && tx.begun:
			c.want(schema)
		case !slices.Contains(u.catalogRead.schemas, schema):
			u.catalogRead.schemas = append(u.catalogRead.schemas, schema)
		}
	}
}

// hides reports whether a statement of this kind, which names these schemas, may leave session
// state or change the scope though its text does not show it.
func (u *unitOfWork) hasHiddenEffects(kind sqlKind, named []string) bool {
	gen := u.db.catalog.gen.Load()
	for _, schemas := range [2][]string{u.scope.schemas, named} {
		for _, schema := range schemas {
			f := u.db.catalog.known(schema, gen)
			if f == nil || kind == kindRead && f.reads || kind == kindWrite && f.writes {
				return true
			}
		}
	}
	return false
}

// noteDDL has the catalogs looked at again after a command that may have changed them.
func (u *unitOfWork) noteDDL(tag pgconn.CommandTag) {
	switch word, _, _ := strings.Cut(tag.String(), " "); word {
	case "ALTER", "CREATE", "DROP", "IMPORT":
		u.db.catalog.changed()
	}
}

// judge returns the kind of a statement by its text and by what the schemas may run.
func (u *unitOfWork) effectiveKind(kind sqlKind, named []string) sqlKind {
	if (kind == kindRead || kind == kindWrite) && u.hasHiddenEffects(kind, named) {
		return kindOther
	}
	return kind
}

// lookFront returns what reads the catalogs. It comes before the scope: a tenant's role need not be
// able to.
func (u *unitOfWork) catalogStatements() prologue {
	if !u.catalogRead.due() {
		return nil
	}
	u.catalogRead.last = u.db.catalog.last.Load()
	f := prologue{{stepFingerprint, fingerprintSQL, u.catalogRead.last.params(u.now)}}
	if len(u.catalogRead.schemas) > 0 {
		f = append(f, internalStmt{stepFacts, factsSQL, [][]byte{textArray(u.catalogRead.schemas)}})
	}
	return f
}

// lookAhead reads in a round trip of its own what otherwise travels in front of a statement, for
// COPY: the answers to what goes in front of it are lost.
func (u *unitOfWork) readCatalogAhead(ctx context.Context, tx *txState) error {
	if tx != nil && tx.begun {
		return nil
	}
	if u.catalogRead.fingerprint && len(u.catalogRead.schemas) == 0 {
		u.catalogRead = catalogRead{} // not worth a round trip: the next statement brings it along
		u.db.catalog.changed()
	}
	return u.retryPrologue(ctx, tx, func() error {
		f := u.catalogStatements()
		if u.state.preparedDirty && !u.state.preparedStale && u.state.dirty(u.scope.schema) {
			f = append(f, internalStmt{step: stepPrepared, sql: foreignPreparedSQL})
		}
		if len(f) == 0 {
			return nil
		}
		b := &pgconn.Batch{}
		for _, o := range f {
			o.queue(u.state, b, u.db.named())
		}
		mrr := u.conn.PgConn().ExecBatch(ctx, b)
		err := f.read(u, nil, nextResult(mrr))
		if closeErr := mrr.Close(); err == nil {
			err = closeErr
		}
		return err
	})
}

// textArray returns names as an array in text format.
func textArray(names []string) []byte {
	array := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			array = append(array, ',')
		}
		array = append(array, '"')
		for _, c := range []byte(name) {
			if c == '"' || c == '\\' {
				array = append(array, '\\')
			}
			array = append(array, c)
		}
		array = append(array, '"')
	}
	return append(array, '}')
}

// looked takes note of what one of the steps of lookFront has returned.
func (u *unitOfWork) noteCatalog(s step, rows [][][]byte) {
	c := &u.db.catalog
	if s == stepFingerprint {
		saw, ok := comparisonOf(rows)
		if !ok {
			c.failed()
			return
		}
		u.catalogSeen = c.compared(u.catalogRead.last, u.now, saw, milliseconds64(rows[0][5]))
		if u.state.seen == 0 {
			u.state.seen = u.catalogSeen // before the first look every statement has counted as one that may leave something
		}
		u.catalogRead.fingerprint = false
		return
	}
	all := make(map[string]*facts, len(u.catalogRead.schemas))
	for _, schema := range u.catalogRead.schemas {
		all[schema] = &facts{}
	}
	var took time.Duration
	for _, row := range rows {
		if len(row) != 4 || all[string(row[0])] == nil {
			c.failed()
			return
		}
		f := all[string(row[0])]
		f.reads, f.writes = string(row[1]) != "f", string(row[2]) != "f"
		took = milliseconds64(row[3])
	}
	c.learned(all, u.catalogSeen, took)
	u.catalogRead.schemas = nil
}

// milliseconds64 reads a number of milliseconds as the server writes it; what is none is a long
// time.
func milliseconds64(text []byte) time.Duration {
	ms, err := strconv.ParseFloat(string(text), 64)
	if err != nil || ms > 1e6 {
		ms = 1e6
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// lookError is why the catalogs could not be read in front of a statement, which has not run.
type catalogError struct{ err error }

func (e *catalogError) Error() string { return "read the catalogs: " + e.err.Error() }
func (e *catalogError) Unwrap() error { return e.err }

// blinded reports whether what was tried can be tried again without a look at the catalogs, which
// the server refused.
func (u *unitOfWork) catalogRefused(err error) bool {
	var refused *catalogError
	var pgErr *pgconn.PgError
	if !errors.As(err, &refused) || !errors.As(err, &pgErr) {
		return false
	}
	u.db.catalog.failed()
	u.catalogRead = catalogRead{}
	return true
}
