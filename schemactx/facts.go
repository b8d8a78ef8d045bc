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

// facts are what the catalogs say about the functions of one schema. The text of a statement does
// not show all functions that it runs: policies, views, operators, defaults, casts, domains and
// triggers call some, and so does the notation "s.func".
type facts struct {
	gen    uint64 // catalog.gen when they were loaded; 0 if they are no longer valid
	loaded int64  // when they were loaded; see [catalog.now]
	reads  bool   // a read in the schema may leave session state or change the scope
	writes bool   // a write may
}

const (
	// factsInterval is the minimum time between two comparisons of the catalogs' fingerprint, while
	// the DB is in use. The time is longer if the comparison is slow, so that it takes at most one
	// percent of the time.
	factsInterval = time.Second
	// factsAge is the age at which facts are loaded again even if the fingerprint is unchanged,
	// because objects that are replaced in place do not change it.
	factsAge = time.Minute
	// factsShare limits reloading of known facts to two percent of the time: the DB waits for
	// factsShare times the duration of the last load.
	factsShare = 50
	// factsRetry is the time to the next attempt after the catalogs could not be read.
	factsRetry = time.Minute
	// maxFacts limits the number of schemas with facts, because schema names also come from
	// statements.
	maxFacts = 1 << 17
)

// catalog keeps the facts of the schemas that a DB uses. Facts of another generation than the
// catalog's are not used: every statement in their schema is then treated as one that may leave
// session state.
type catalog struct {
	start  time.Time
	gen    atomic.Uint64 // the generation of valid facts; 0 before the first fingerprint
	seen   atomic.Uint64 // number of changes seen; a change of new schemas only does not increase gen
	next   atomic.Int64  // when to compare the fingerprint next
	reload atomic.Int64  // the earliest time to load known facts again
	blind  atomic.Int64  // when the catalogs may be read again after they could not be read
	facts  sync.Map      // of *facts, by schema
	size   atomic.Int64  // number of entries in facts
	last   atomic.Pointer[fingerprint]

	mu     sync.Mutex
	wanted map[string]bool // schemas whose facts a transaction needed but could not load
}

// now returns the nanoseconds since the DB was created, on the monotonic clock.
func (c *catalog) now() int64 { return int64(time.Since(c.start)) }

// known returns the facts of a schema if they are of generation gen, else nil.
func (c *catalog) known(schema string, gen uint64) *facts {
	f, ok := c.facts.Load(schema)
	if !ok || f.(*facts).gen != gen {
		return nil
	}
	return f.(*facts)
}

// due reports whether to load the facts of a schema now. Missing facts are always due. Facts that
// are old or of another generation are due at most as often as factsShare allows.
func (c *catalog) due(schema string, now int64) bool {
	v, ok := c.facts.Load(schema)
	if !ok {
		return true
	}
	f := v.(*facts)
	return (f.gen != c.gen.Load() || now-f.loaded > int64(factsAge)) && now >= c.reload.Load()
}

// claim reports whether the caller must compare the fingerprint now. It returns true to one caller
// per interval.
func (c *catalog) claim(now int64) bool {
	next := c.next.Load()
	return now >= next && c.next.CompareAndSwap(next, now+int64(factsInterval))
}

// compared records saw, the result of a comparison with f that began at now and took the server
// that long. It returns [catalog.seen]. It returns 0 if another comparison has replaced f
// meanwhile, so that it is unknown what has changed.
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

// invalidate makes the facts of these schemas invalid, so that they are loaded again before they
// are used. A name that did not belong to a schema until now may have facts, too.
func (c *catalog) invalidate(schemas []string) {
	for _, schema := range schemas {
		if v, ok := c.facts.Load(schema); ok {
			c.facts.Store(schema, &facts{loaded: v.(*facts).loaded})
		}
	}
}

// learned stores facts that were read after the comparison that returned seen. If a change has been
// seen since then, it drops them. Names of schemas that do not exist have facts too, because a name
// in a statement often is no schema. took is how long the server needed.
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
	if worse { // an object was replaced in place; see noteCatalogChange
		c.seen.Add(1)
	}
}

// failed records that the catalogs cannot be read. They are not read for factsRetry, and all facts
// become invalid.
func (c *catalog) failed() {
	c.blind.Store(c.now() + int64(factsRetry))
	c.expire()
}

// expire makes all facts invalid, so that they are loaded again before they are used.
func (c *catalog) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen.Add(1)
	c.seen.Add(1)
}

// changed makes the next unit of work compare the fingerprint.
func (c *catalog) changed() { c.next.Store(0) }

// forget makes all facts invalid and lets them be loaded again without a delay.
func (c *catalog) forget() {
	c.expire()
	c.reload.Store(0)
	c.changed()
}

// want records a schema whose facts a transaction needs but cannot load. The next unit of work that
// compares the fingerprint loads them.
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

// takeWanted returns the schemas that want has recorded and clears them.
func (c *catalog) takeWanted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := slices.Collect(maps.Keys(c.wanted))
	clear(c.wanted)
	return names
}

// catalogRead is what a unit of work reads from the catalogs before its first statement.
type catalogRead struct {
	fingerprint bool
	last        *fingerprint // the fingerprint that it compares with
	schemas     []string     // the schemas whose facts it loads
}

func (l catalogRead) due() bool { return l.fingerprint || len(l.schemas) > 0 }

// planCatalogRead decides what the unit reads from the catalogs.
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

// noteCatalogChange marks the connection as dirty if the catalogs have changed since its last use.
// Before the change was seen, the last tenant may have run functions that the DB did not know of.
func (u *unitOfWork) noteCatalogChange() {
	seen := u.db.catalog.seen.Load()
	if u.state.last != "" && u.state.seen != seen {
		u.state.markDirty(u.state.last)
		u.state.preparedDirty = true
	}
	u.state.seen = seen
}

// needFacts adds the schemas that a statement names to those that the unit loads. In a transaction
// that has begun, the next unit of work loads them.
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

// hasHiddenEffects reports whether a statement of this kind, which names these schemas, may leave
// session state or change the scope although its text does not show it.
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

// noteDDL makes the next unit of work compare the fingerprint if the command may have changed the
// catalogs.
func (u *unitOfWork) noteDDL(tag pgconn.CommandTag) {
	switch word, _, _ := strings.Cut(tag.String(), " "); word {
	case "ALTER", "CREATE", "DROP", "IMPORT":
		u.db.catalog.changed()
	}
}

// effectiveKind returns the kind of a statement according to its text and to the facts of the
// schemas.
func (u *unitOfWork) effectiveKind(kind sqlKind, named []string) sqlKind {
	if (kind == kindRead || kind == kindWrite) && u.hasHiddenEffects(kind, named) {
		return kindOther
	}
	return kind
}

// catalogStatements returns the statements that read the catalogs. They come before the scope,
// because a tenant's role may lack the privilege to read them.
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

// readCatalogAhead reads the catalogs in a separate round trip before a COPY, because the results
// of what is sent with a COPY are lost.
func (u *unitOfWork) readCatalogAhead(ctx context.Context, tx *txState) error {
	if tx != nil && tx.begun {
		return nil
	}
	if u.catalogRead.fingerprint && len(u.catalogRead.schemas) == 0 {
		u.catalogRead = catalogRead{} // not worth a round trip: the next statement compares it
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

// noteCatalog records the rows that a step of catalogStatements has returned.
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
			u.state.seen = u.catalogSeen // until then every statement counted as dirty
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

// milliseconds64 parses the server's number of milliseconds. For invalid text it returns a long
// time, 1000 seconds.
func milliseconds64(text []byte) time.Duration {
	ms, err := strconv.ParseFloat(string(text), 64)
	if err != nil || ms > 1e6 {
		ms = 1e6
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// catalogError says why the catalogs could not be read before a statement. The statement has not
// run.
type catalogError struct{ err error }

func (e *catalogError) Error() string { return "read the catalogs: " + e.err.Error() }
func (e *catalogError) Unwrap() error { return e.err }

// disableCatalogReads makes the unit, and for a time the DB, read no catalogs if err says that the
// server refused to let them be read. It reports whether it did, so that the unit can try again.
func (u *unitOfWork) disableCatalogReads(err error) bool {
	var refused *catalogError
	var pgErr *pgconn.PgError
	if !errors.As(err, &refused) || !errors.As(err, &pgErr) {
		return false
	}
	u.db.catalog.failed()
	u.catalogRead = catalogRead{}
	return true
}
