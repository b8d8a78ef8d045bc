package erp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

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

// conditions narrow a list down. Each has one value, for the ? of its SQL.
type conditions []condition

type condition struct {
	sql   string
	value any
}

// impossible reports whether the value is a text that PostgreSQL cannot hold: no row has it, and to ask would be an error.
func (c condition) impossible() bool {
	text, ok := c.value.(string)
	return ok && (!utf8.ValidString(text) || strings.ContainsRune(text, 0))
}

// id adds a condition unless id is 0.
func (c *conditions) id(sql string, id int64) {
	if id != 0 {
		*c = append(*c, condition{sql, id})
	}
}

// is adds a condition unless value is empty.
func (c *conditions) is(sql, value string) {
	if value != "" {
		*c = append(*c, condition{sql, value})
	}
}

// day adds a condition unless day is nil.
func (c *conditions) day(sql string, day *Date) {
	if day != nil {
		*c = append(*c, condition{sql, *day})
	}
}

// search adds the condition that a text holds another, in any case, unless that is empty. It is no pattern: % and _ are
// what they are.
func (c *conditions) search(text, value string) {
	if value != "" {
		*c = append(*c, condition{"strpos(lower(" + text + "), lower(?)) > 0", value})
	}
}
