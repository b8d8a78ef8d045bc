package erp

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// params are the parameters of a request's query. Each is asked for once; what nobody has asked for is refused, as it
// would not do what its sender thinks.
type params struct {
	values  url.Values
	refused refusals
}

// readParams returns the parameters of r.
func readParams(r *http.Request) *params {
	p := &params{}
	var err error
	if p.values, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		p.refused.add("query", "cannot be read")
		p.values = nil
	}
	return p
}

// take returns a parameter, "" where it is not there.
func (p *params) take(name string) string {
	values := p.values[name]
	delete(p.values, name)
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	p.refused.add(name, "is there more than once")
	return ""
}

// number returns a whole number from least to most, 0 where it is not there.
func (p *params) number(name string, least, most int64, rule string) int64 {
	v := p.take(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < least || n > most {
		p.refused.add(name, rule)
		return 0
	}
	return n
}

// id returns the id of something, 0 where it is not there.
func (p *params) id(name string) int64 { return p.number(name, 1, 1<<63-1, "is not an id") }

// text returns a text, "" where it is not there.
func (p *params) text(name string) string {
	v := p.take(name)
	if v != "" {
		p.refused.text(name, v, 200)
	}
	return v
}

// oneOf returns one of several values, "" where it is not there.
func oneOf[T ~string](p *params, name string, values []T) T {
	v := T(p.take(name))
	if v != "" && !slices.Contains(values, v) {
		p.refused.add(name, fmt.Sprintf("is none of %v", values))
	}
	return v
}

// day returns a day like 2006-01-02, nil where it is not there.
func (p *params) day(name string) *Date {
	v := p.take(name)
	if v == "" {
		return nil
	}
	t, err := time.Parse(time.DateOnly, v)
	if err != nil {
		p.refused.add(name, "is not a day like 2006-01-02")
	}
	return &Date{t}
}

// flag returns whether a parameter is there as "true", "1", or without a value.
func (p *params) flag(name string) bool {
	if !p.values.Has(name) {
		return false
	}
	switch v := p.take(name); v {
	case "", "true", "1":
		return true
	case "false", "0":
	default:
		p.refused.add(name, "is neither true nor false")
	}
	return false
}

// page returns which part of a list is asked for, and what was wrong with the parameters: it comes last.
func (p *params) page() (Page, error) {
	page := Page{
		After: p.number("after", 0, 1<<63-1, "is not the next of another page"),
		Limit: int(p.number("limit", 1, MaxLimit, "is not between 1 and "+strconv.Itoa(MaxLimit))),
	}
	return page, p.err()
}

// err returns what was wrong with the parameters, once all were asked for.
func (p *params) err() error {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		p.refused.add(name, "is not a known parameter")
	}
	return p.refused.err()
}
