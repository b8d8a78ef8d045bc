package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// VerifyOptions configures a verification.
type VerifyOptions struct {
	// Heads are chain heads that were kept where the owner of the database cannot write, from
	// [Config].Witness or [Reader.Heads]. The rows that they cover must exist and be unchanged.
	// Default: none. Without heads, a role that can change all tables can remove the newest rows or
	// whole chains without a trace. Without a key it can also rewrite all rows.
	Heads []ChainHead
}

// VerifyAll checks every row of every tenant, the completeness of the chains, the stored digests,
// and that the chains named by others exist. Rows in the spill of a process count as missing if
// newer rows of the chain are stored. VerifyAll reads one chain after the other; ctx governs the
// queries. An error means that the verification failed to run; damage to the log is in the report.
func (r *Reader) VerifyAll(ctx context.Context, opts VerifyOptions) (Report, error) {
	v := &verification{reader: r, db: r.db, report: &Report{}}
	err := v.all(ctx, opts)
	if err != nil {
		return *v.report, fmt.Errorf("verify audit log: %w", err)
	}
	return *v.report, nil
}

// verification is the state of one verification of whole chains.
type verification struct {
	reader      *Reader
	db          Querier
	report      *Report
	expected    map[ChainID][]ChainHead // minimum heads of the chains
	checkpoints map[ChainID]ChainHead
	finals      map[ChainID]ChainHead // heads of the checked chains
	links       []chainLink
}

// chainLink is a reference from the first row of a chain to another chain.
type chainLink struct {
	from ChainID
	to   ChainHead
}

func (v *verification) all(ctx context.Context, opts VerifyOptions) error {
	if err := v.expect(ctx, ""); err != nil {
		return err
	}
	for _, h := range opts.Heads {
		v.expected[h.Chain] = append(v.expected[h.Chain], h)
	}
	tips, err := query(
		ctx,
		v.db,
		scanHead,
		"select chain, month, position, digest from {registry}.audit_ledger where position > 0",
	)
	if err != nil {
		return err
	}
	for _, h := range tips {
		v.expected[h.Chain] = append(v.expected[h.Chain], h)
	}
	if err := v.chains(ctx, ""); err != nil {
		return err
	}
	if err := v.loadCheckpoints(ctx); err != nil { // again, because months may have been removed in the meantime
		return err
	}
	v.absent()
	return v.checkLinks(ctx)
}

// verifyMonth checks the chains of one month on their own and returns their heads.
func (r *Reader) verifyMonth(ctx context.Context, db Querier, m month) ([]ChainHead, Report, error) {
	v := &verification{reader: r, db: db, report: &Report{}}
	where := " where month = '" + m.first().Format(time.DateOnly) + "'"
	if err := v.expect(ctx, where); err != nil {
		return nil, Report{}, err
	}
	if err := v.chains(ctx, where); err != nil {
		return nil, Report{}, err
	}
	v.absent()
	heads := make([]ChainHead, 0, len(v.finals))
	for _, h := range v.finals {
		heads = append(heads, h)
	}
	return heads, *v.report, nil
}

// expect reads the minimum positions of the chains before their rows are read. Intermediate digests
// are read together with the rows.
func (v *verification) expect(ctx context.Context, where string) error {
	v.expected, v.finals = map[ChainID][]ChainHead{}, map[ChainID]ChainHead{}
	heads, err := query(
		ctx,
		v.db,
		scanHead,
		"select distinct on (chain) chain, month, position, digest from {registry}.audit_heads"+where+
			" order by chain, position desc",
	)
	if err != nil {
		return err
	}
	for _, h := range heads {
		v.expected[h.Chain] = append(v.expected[h.Chain], h)
	}
	return v.loadCheckpoints(ctx)
}

func scanHead(row pgx.CollectableRow) (h ChainHead, err error) {
	var id [16]byte
	var digest []byte
	err = row.Scan(&id, &h.Month, &h.Position, &digest)
	h.Chain = id
	copy(h.Digest[:], digest)
	return h, err
}

func (v *verification) loadCheckpoints(ctx context.Context) error {
	type checkpoint struct {
		head ChainHead
		mac  []byte
	}
	found, err := query(ctx, v.db, func(row pgx.CollectableRow) (c checkpoint, err error) {
		var id [16]byte
		var digest []byte
		err = row.Scan(&id, &c.head.Month, &c.head.Position, &digest, &c.mac)
		c.head.Chain = id
		copy(c.head.Digest[:], digest)
		return c, err
	}, "select chain, month, position, digest, mac from {registry}.audit_checkpoints")
	if err != nil {
		return err
	}
	first := v.checkpoints == nil
	v.checkpoints = map[ChainID]ChainHead{}
	for _, c := range found {
		if v.reader.macValid(c.head, c.mac) {
			v.checkpoints[c.head.Chain] = c.head
		} else if first {
			v.report.add(Problem{
				Kind: Changed, Tenant: UnknownTenant, Chain: c.head.Chain, From: 1, To: c.head.Position,
				Detail: "the checkpoint of a month that was removed is not what was written",
			})
		}
	}
	return nil
}

// mac returns the MAC of a checkpoint with the first key.
func (r *Reader) mac(h ChainHead) Hash { return macOf(r.keys[0], h) }

func macOf(key []byte, h ChainHead) (sum Hash) {
	newHasher(key).sum(appendHead([]byte("checkpoint"), h), &sum)
	return sum
}

func (r *Reader) macValid(h ChainHead, mac []byte) bool {
	return slices.ContainsFunc(r.keys, func(key []byte) bool {
		sum := macOf(key, h)
		return string(sum[:]) == string(mac)
	})
}

// chains checks all chains that have rows.
func (v *verification) chains(ctx context.Context, where string) error {
	ids, err := query(
		ctx,
		v.db,
		pgx.RowTo[[16]byte],
		"select chain from {registry}.audit_log"+where+" group by chain order by min(month), chain",
	)
	if err != nil {
		return err
	}
	c := newChecker(v.reader.keys, v.report)
	for _, id := range ids {
		if err := v.chain(ctx, c, id); err != nil {
			return err
		}
	}
	return nil
}

// chain checks one chain.
func (v *verification) chain(ctx context.Context, c *checker, id ChainID) error {
	heads, err := query(
		ctx,
		v.db,
		scanHead,
		"select chain, month, position, digest from {registry}.audit_heads where chain = $1 order by position",
		[16]byte(id),
	)
	if err != nil {
		return err
	}
	heads = append(heads, v.expected[id]...)
	slices.SortStableFunc(heads, func(a, b ChainHead) int { return cmp.Compare(a.Position, b.Position) })
	base, partial := v.checkpoints[id]
	w := &chainWalk{
		to:      v,
		checker: c,
		heads:   heads,
		last:    ChainHead{Chain: id, Position: base.Position, Digest: base.Digest},
	}
	c.begin(partial)
	problems := len(v.report.Problems) + v.report.More
	err = each(
		ctx,
		v.db,
		w.row,
		"select "+recordColumns+" from {registry}.audit_log where chain = $1 order by position, month",
		[16]byte(id),
	)
	if err != nil {
		return err
	}
	if w.last.Month.IsZero() && problems == len(v.report.Problems)+v.report.More {
		return nil // its month was removed in the meantime; absent checks its checkpoint
	}
	w.end(problems)
	v.finals[id] = w.last
	return nil
}

// chainWalk is the state of reading one chain.
type chainWalk struct {
	to      *verification
	checker *checker
	heads   []ChainHead // expected heads, by position
	last    ChainHead   // head of the rows so far
	gaps    []Problem
	missing int64     // number of rows in gaps
	broken  bool      // the digest is unknown after a gap or a repeated row
	wrong   []Problem // differences from the heads
}

func (w *chainWalk) row(s *stored) {
	if w.last.Month.IsZero() {
		w.last.Month = s.month.first()
	}
	next := w.last.Position + 1
	switch {
	case s.position < next:
		w.to.report.add(Problem{
			Kind: Repeated, Tenant: s.tenant, Chain: s.chain, From: s.position, To: s.position, Time: time.UnixMicro(s.at).UTC(),
			Detail: "the place has another row",
		})
		w.broken = true
		return
	case s.position > next:
		w.gap(next, s.position-1)
	}
	if s.action == LogOpened {
		if to, ok := parseLink(s.details); ok {
			w.to.links = append(w.to.links, chainLink{from: s.chain, to: to})
		}
	}
	w.checker.row(s)
	w.last.Position, w.last.Digest = s.position, digest(&w.last.Digest, &s.hash)
	w.compareHeads(s.position)
}

// gap records missing rows.
func (w *chainWalk) gap(from, to int64) {
	w.missing += to - from + 1
	w.broken = true
	w.gaps = append(
		w.gaps,
		Problem{
			Kind:   Missing,
			Tenant: UnknownTenant,
			Chain:  w.last.Chain,
			From:   from,
			To:     to,
			Detail: "rows of the chain are gone",
		},
	)
	w.compareHeads(to)
}

// compareHeads compares the digest with those stored for the position. After a gap it continues
// with the stored digest.
func (w *chainWalk) compareHeads(position int64) {
	for len(w.heads) > 0 && w.heads[0].Position <= position {
		h := w.heads[0]
		w.heads = w.heads[1:]
		switch {
		case h.Position < position: // within a gap
		case w.broken:
			w.last.Digest, w.broken = h.Digest, false
		case h.Digest != w.last.Digest:
			w.wrong = append(w.wrong, Problem{
				Kind:   HeadMismatch,
				Tenant: UnknownTenant,
				Chain:  h.Chain,
				From:   1,
				To:     h.Position,
				Detail: "the digest that was kept is another",
			})
			w.last.Digest = h.Digest
		}
	}
}

// end reports each finding once. Missing rows of known tenants explain gaps, and wrong rows explain
// wrong digests. problems is the number of problems before the walk.
func (w *chainWalk) end(problems int) {
	if len(w.heads) > 0 {
		if last := w.heads[len(w.heads)-1].Position; last > w.last.Position {
			w.gap(w.last.Position+1, last)
			w.last.Position = last
		}
	}
	w.checker.end()
	if w.missing != w.checker.lost {
		for _, p := range w.gaps {
			w.to.report.add(p)
		}
	}
	if problems == len(w.to.report.Problems)+w.to.report.More {
		for _, p := range w.wrong {
			w.to.report.add(p)
		}
	}
}

// absent reports expected chains that have no rows.
func (v *verification) absent() {
	for id, heads := range v.expected {
		if _, there := v.finals[id]; there {
			continue
		}
		last := slices.MaxFunc(heads, func(a, b ChainHead) int { return cmp.Compare(a.Position, b.Position) })
		if gone, ok := v.checkpoints[id]; ok && gone.Position >= last.Position {
			continue
		}
		v.report.add(
			Problem{
				Kind:   Missing,
				Tenant: UnknownTenant,
				Chain:  id,
				From:   1,
				To:     last.Position,
				Detail: "the whole chain is missing",
			},
		)
	}
}
