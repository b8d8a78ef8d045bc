package erp

import "strconv"

// Page says which part of a list to read. Lists are in the order of ids.
type Page struct {
	After int64 // the last id of the page before; 0 for the first page
	Limit int   // at most; 1 to MaxLimit, DefaultLimit for 0
}

// The limits of a [Page].
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

func (p Page) limit() int {
	if p.Limit == 0 {
		return DefaultLimit
	}
	return p.Limit
}

func (p Page) validate() error {
	var r refusals
	if p.Limit < 0 || p.Limit > MaxLimit {
		r.add("limit", "is not between 1 and "+strconv.Itoa(MaxLimit))
	}
	if p.After < 0 {
		r.add("after", "is not the next of another page")
	}
	return r.err()
}
