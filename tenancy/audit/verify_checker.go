package audit

import (
	"bytes"
	"slices"
	"time"
)

// lateAfter is the delay between the time of an entry and its arrival in the database after which
// it counts as late.
const lateAfter = time.Hour

// maxOriginSearch is the maximum number of rows with wrong hashes for which the original places are
// searched.
const maxOriginSearch = 16

// checker verifies the rows of one chain.
type checker struct {
	hashers []*hasher // the last one that matched comes first
	report  *Report
	links   map[int64]lastRow
	wrong   []mismatch
	lost    int64 // missing rows, by gaps in the tenants' sequence numbers
	partial bool  // the first rows were removed by retention
}

// lastRow is the place of a tenant's last row.
type lastRow struct {
	link
	position int64
}

// mismatch is a row whose hash does not match its content and place.
type mismatch struct {
	row
	prev     Hash // of the previous row
	computed Hash // the correct hash in this place
}

func newChecker(keys [][]byte, report *Report) *checker {
	c := &checker{report: report}
	for _, key := range keys {
		c.hashers = append(c.hashers, newHasher(key))
	}
	return c
}

// begin starts the next chain.
func (c *checker) begin(partial bool) {
	c.links, c.wrong, c.lost, c.partial = map[int64]lastRow{}, c.wrong[:0], 0, partial
	c.report.Chains++
}

// row checks the next row of the chain, in the order of positions, or of the sequence numbers of
// one tenant.
func (c *checker) row(s *stored) {
	c.report.Rows++
	if s.received.Sub(time.UnixMicro(s.at)) > lateAfter {
		c.report.Late++
	}
	if form, err := canonical([]byte(s.details), nil); err == nil { // on an error the hash does not match
		s.details = string(form)
	}
	before, known := c.links[s.tenant]
	c.links[s.tenant] = lastRow{link: link{seq: s.seq, hash: s.hash}, position: s.position}
	switch {
	case c.partial && !known: // the previous row was removed by retention
	case s.seq > before.seq+1: // the previous row is missing
		c.lost += s.seq - before.seq - 1
		c.report.add(Problem{
			Kind: Missing, Tenant: s.tenant, Chain: s.chain, From: before.position + 1, To: s.position - 1,
			Detail: "entries " + itoa(before.seq+1) + " to " + itoa(s.seq-1) + " of the tenant are gone",
		})
	default:
		computed, ok := c.fits(&s.row, &before.hash)
		if !ok || s.seq != before.seq+1 {
			c.wrong = append(c.wrong, mismatch{row: s.row, prev: before.hash, computed: computed})
		}
	}
}

// fits reports whether the hash of r is correct after prev with any of the keys.
func (c *checker) fits(r *row, prev *Hash) (computed Hash, ok bool) {
	for i, h := range c.hashers {
		sum := h.row(r, prev)
		if i == 0 {
			computed = sum
		}
		if sum == r.hash {
			c.hashers[0], c.hashers[i] = h, c.hashers[0]
			return sum, true
		}
	}
	return computed, false
}

// end reports the rows whose hashes do not match.
func (c *checker) end() {
	if len(c.wrong) == 0 {
		return
	}
	before := len(c.report.Problems) + c.report.More
	for i := range c.wrong {
		w := &c.wrong[i]
		p := Problem{
			Kind: Changed, Tenant: w.tenant, Chain: w.chain, From: w.position, To: w.position, Time: time.UnixMicro(w.at).UTC(),
			Detail: "the hash is not that of the row",
		}
		if len(c.wrong) <= maxOriginSearch {
			switch other := c.findOrigin(i); other {
			case -1:
			case i:
				continue // correct after the original previous row
			default:
				p.Kind, p.Detail = Reordered, "it was at position "+itoa(c.wrong[other].position)
			}
		}
		c.report.add(p)
	}
	if w := c.wrong[0]; before == len(c.report.Problems)+c.report.More {
		c.report.add(
			Problem{
				Kind:   Changed,
				Tenant: w.tenant,
				Chain:  w.chain,
				From:   w.position,
				To:     w.position,
				Detail: "the hash before it is not",
			},
		)
	}
}

// findOrigin returns the index of the row whose place makes the hash of row i correct, or -1.
func (c *checker) findOrigin(i int) int {
	prevs := []Hash{{}}
	for _, w := range c.wrong {
		prevs = append(prevs, w.hash, w.computed, w.prev)
	}
	slices.SortFunc(prevs, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	prevs = slices.Compact(prevs)
	order := []int{i} // try its own place first
	for j := range c.wrong {
		if j != i && c.wrong[j].tenant == c.wrong[i].tenant {
			order = append(order, j)
		}
	}
	for _, j := range order {
		r := c.wrong[i].row
		for _, position := range []int64{c.wrong[j].position, r.position} {
			for _, seq := range []int64{c.wrong[j].seq, c.wrong[i].seq} {
				r.position, r.seq = position, seq
				for _, prev := range prevs {
					if _, ok := c.fits(&r, &prev); ok {
						return j
					}
				}
			}
		}
	}
	return -1
}
