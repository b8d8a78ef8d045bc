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

// params are the query parameters of a request. Each is read once. A parameter that is not read is
// refused, because it would have no effect.
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

// pop returns a parameter and removes it, "" if it is absent.
func (p *params) pop(name string) string {
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

// number returns a whole number from least to most, 0 if it is absent.
func (p *params) number(name string, least, most int64, rule string) int64 {
	v := p.pop(name)
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

// id returns an id, 0 if it is absent.
func (p *params) id(name string) int64 { return p.number(name, 1, 1<<63-1, "is not an id") }

// text returns a text, "" if it is absent.
func (p *params) text(name string) string {
	v := p.pop(name)
	if v != "" {
		p.refused.text(name, v, 200)
	}
	return v
}

// oneOf returns one of several values, "" if it is absent.
func oneOf[T ~string](p *params, name string, values []T) T {
	v := T(p.pop(name))
	if v != "" && !slices.Contains(values, v) {
		p.refused.add(name, fmt.Sprintf("is none of %v", values))
	}
	return v
}

// day returns a day like 2006-01-02, nil if it is absent.
func (p *params) day(name string) *Date {
	v := p.pop(name)
	if v == "" {
		return nil
	}
	t, err := time.Parse(time.DateOnly, v)
	if err != nil {
		p.refused.add(name, "is not a day like 2006-01-02")
	}
	return &Date{t}
}

// flag reports whether a parameter is "true", "1", or present without a value.
func (p *params) flag(name string) bool {
	if !p.values.Has(name) {
		return false
	}
	switch v := p.pop(name); v {
	case "", "true", "1":
		return true
	case "false", "0":
	default:
		p.refused.add(name, "is neither true nor false")
	}
	return false
}

// page returns the page of a list, and the errors of all parameters: call it last.
func (p *params) page() (Page, error) {
	page := Page{
		After: p.number("after", 0, 1<<63-1, "is not the next of another page"),
		Limit: int(p.number("limit", 1, MaxLimit, "is not between 1 and "+strconv.Itoa(MaxLimit))),
	}
	return page, p.err()
}

// err returns the errors of the parameters. Call it after all parameters were read.
func (p *params) err() error {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		p.refused.add(name, "is not a known parameter")
	}
	return p.refused.err()
}
