package erp

import "strconv"

// Page is a part of a list. Lists are ordered by id.
type Page struct {
	After int64 // the last id of the page before; 0 for the first page
	Limit int   // the largest number of rows, 1 to MaxLimit; 0: DefaultLimit
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
