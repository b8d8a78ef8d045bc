package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// VerifyOptions say what is known from elsewhere.
type VerifyOptions struct {
	// Heads were kept where the database's owner cannot write: by [Config].Witness, or from
	// [Reader.Heads]. Rows that they cover have to be there and to be the same. Default: none, and
	// then who can change all tables can take the newest rows away, or whole chains, without a trace,
	// and without a key also write all of them anew.
	Heads []ChainHead
}

// VerifyAll checks every row of every tenant, that none is missing among them, the digests that
// were left on the way, and that the chains which others name are there. Rows that are still in a
// process's spill behind newer ones are missing until they are written. It reads one chain after
// the other; ctx governs the queries. An error means that it could not be found out; what is wrong
// with the log is in the report.
func (r *Reader) VerifyAll(ctx context.Context, opts VerifyOptions) (Report, error) {
	v := &verification{reader: r, db: r.db, report: &Report{}}
	err := v.all(ctx, opts)
	if err != nil {
		return *v.report, fmt.Errorf("verify audit log: %w", err)
	}
	return *v.report, nil
}

// verification is a look at whole chains.
type verification struct {
	reader      *Reader
	db          Querier
	report      *Report
	expected    map[ChainID][]ChainHead // which chains are to have come how far
	checkpoints map[ChainID]ChainHead
	finals      map[ChainID]ChainHead // of the chains that were checked
	links       []chainLink
}

// chainLink is what the first row of a chain says of another.
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
	if err := v.loadCheckpoints(ctx); err != nil { // again: months may have been removed meanwhile
		return err
	}
	v.absent()
	return v.checkLinks(ctx)
}

// verifyMonth checks the chains of a month by themselves and returns their ends.
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

// expect reads how far chains have come at least, before their rows are read. The digests on the
// way are read with the rows.
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

// mac is that of a checkpoint, by the first key.
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

// chain checks one.
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
		return nil // its month was removed meanwhile: its checkpoint is looked at in the end
	}
	w.end(problems)
	v.finals[id] = w.last
	return nil
}

// walk goes along a chain.
type chainWalk struct {
	to      *verification
	checker *checker
	heads   []ChainHead // to be met, by position
	last    ChainHead   // of the rows so far
	gaps    []Problem
	missing int64
	broken  bool // the digest is not known any more
	wrong   []Problem
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

// gap notes rows that are not there.
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

// meet compares the digest with those that were kept at the position, and with what is behind a gap
// takes it from there.
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

// end reports what was found, each thing once: rows that are known to be a tenant's explain the
// gaps, and rows that are wrong explain the digests.
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

// absent reports chains that are to be there and have no row at all.
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
				Detail: "the whole chain is gone",
			},
		)
	}
}

// checkLinks looks for the chains that others come behind.
func (v *verification) checkLinks(ctx context.Context) error {
	for _, l := range v.links {
		if _, known := v.expected[l.to.Chain]; known && v.finals[l.to.Chain].Position == 0 {
			continue // was reported, or is in a checkpoint
		}
		there, ok := v.finals[l.to.Chain]
		if !ok {
			there = v.checkpoints[l.to.Chain]
		}
		same := there.Position >= l.to.Position
		if same && there.Position > l.to.Position {
			heads, err := query(
				ctx,
				v.db,
				scanHead,
				"select chain, month, position, digest from {registry}.audit_heads where chain = $1 and position = $2",
				[16]byte(l.to.Chain),
				l.to.Position,
			)
			if err != nil {
				return err
			}
			same = len(heads) == 0 || heads[0].Digest == l.to.Digest
		} else if same {
			same = there.Digest == l.to.Digest
		}
		if !same {
			v.report.add(Problem{
				Kind: Unlinked, Tenant: UnknownTenant, Chain: l.to.Chain, From: 1, To: l.to.Position,
				Detail: "chain " + l.from.String() + " comes behind it, and it is gone or another",
			})
		}
	}
	return nil
}

// parseLink reads what linkDetails has written; false: the chain is the first.
func parseLink(details string) (h ChainHead, ok bool) {
	var l struct {
		Chain    string `json:"after_chain"`
		Digest   string `json:"after_digest"`
		Month    string `json:"after_month"`
		Position int64  `json:"after_position"`
	}
	if err := json.Unmarshal([]byte(details), &l); err != nil || l.Position == 0 {
		return h, false
	}
	h.Position = l.Position
	h.Month, _ = time.Parse(time.DateOnly, l.Month) // of a row that was changed: the rest does not fit either
	return h, parseHex(h.Chain[:], l.Chain) && parseHex(h.Digest[:], l.Digest)
}

// Heads returns where each chain stands, for [VerifyOptions]: to be kept where the owner of the
// database cannot write, such as in a log of another machine, on paper, or with a notary.
func (r *Reader) Heads(ctx context.Context) ([]ChainHead, error) {
	heads, err := query(ctx, r.db, scanHead, `select * from (
			select distinct on (chain) chain, month, position, digest from {registry}.audit_heads order by chain, position desc) h
		union all select chain, month, position, digest from {registry}.audit_ledger where position > 0
		order by month, chain`)
	if err != nil {
		return nil, fmt.Errorf("read audit heads: %w", err)
	}
	return heads, nil
}
