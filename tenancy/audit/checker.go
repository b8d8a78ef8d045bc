package audit

import (
	"slices"
	"time"
)

// lateAfter is how long after its time the database may get a row without anybody wondering.
const lateAfter = time.Hour

// maxOriginSearch is the most rows with wrong hashes that are tried in each other's places.
const maxOriginSearch = 16

// checker follows the rows of one chain.
type checker struct {
	hashers []*hasher // the one that fitted last is the first
	report  *Report
	links   map[int64]lastRow
	wrong   []mismatch
	lost    int64 // rows that are missing, by the tenants' numbers
	partial bool  // the chain's beginning was removed with its month
}

// lastRow is where a tenant's last row was.
type lastRow struct {
	link
	position int64
}

// mismatch is a row whose hash is not that of its content in its place.
type mismatch struct {
	row
	prev     Hash // of the row before it
	computed Hash // what its hash would be here
}

func newChecker(keys [][]byte, report *Report) *checker {
	c := &checker{report: report}
	for _, key := range keys {
		c.hashers = append(c.hashers, newHasher(key))
	}
	return c
}

// begin forgets the chain before.
func (c *checker) begin(partial bool) {
	c.links, c.wrong, c.lost, c.partial = map[int64]lastRow{}, c.wrong[:0], 0, partial
	c.report.Chains++
}

// row checks the next row of the chain, in the order of positions, or of the numbers of one tenant.
func (c *checker) row(s *stored) {
	c.report.Rows++
	if s.received.Sub(time.UnixMicro(s.at)) > lateAfter {
		c.report.Late++
	}
	if form, err := canonical([]byte(s.details), nil); err == nil { // else the hash does not fit
		s.details = string(form)
	}
	before, known := c.links[s.tenant]
	c.links[s.tenant] = lastRow{link: link{seq: s.seq, hash: s.hash}, position: s.position}
	switch {
	case c.partial && !known: // what was before is not there to be looked at
	case s.seq > before.seq+1: // nor here
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

// fits reports whether the hash of r is right behind prev, by any of the keys.
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

// end says what is wrong with the rows that do not fit.
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
				continue // it is right behind what was there before
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

// solve returns the number of the row in whose place the row i is right, or -1.
func (c *checker) findOrigin(i int) int {
	prevs := []Hash{{}}
	for _, w := range c.wrong {
		prevs = append(prevs, w.hash, w.computed, w.prev)
	}
	prevs = slices.CompactFunc(prevs, func(a, b Hash) bool { return a == b })
	order := []int{i} // its own place first
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
