package audit

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const (
	defaultPageSize = 100

	// MaxPageSize is the maximum number of records of a page.
	MaxPageSize = 1000
)

// Order is the order of a list, by time.
type Order int

const (
	Oldest Order = iota // first; the default
	Newest              // first
)

// Filter selects records. The zero value selects all, oldest first.
//
// Queries by tenant and time use an index. Queries over all tenants are fast if Since and Until
// bound them.
type Filter struct {
	Tenants   []int64      // those of these tenants; 0 is the platform. Default: any
	Actions   []Action     // default: any
	Actor     string       // default: "", any
	Since     time.Time    // not before. Default: the zero time, any
	Until     time.Time    // before. Default: the zero time, any
	IP        netip.Prefix // an address is a prefix of all its bits. Default: the zero Prefix, any
	RequestID string       // default: "", any
	Order     Order        // default: [Oldest]

	// After is the cursor after which the page starts: Next of the previous page with the same Order.
	// Default: "", the first page.
	After Cursor

	// Limit is the maximum number of records of a page. Default: 100. A negative limit,
	// or one over [MaxPageSize], is a [FieldError].
	Limit int
}

// Cursor is a position in a list. It may be given to clients: it consists of letters, digits, "-"
// and "_", and contains the time and the place of a record.
type Cursor string

// cursorKey is the content of a cursor.
type cursorKey struct {
	at       time.Time
	chain    ChainID
	position int64
}

const cursorKeyLen = 8 + 16 + 8

func (p cursorKey) cursor() Cursor {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.at.UnixMicro()))
	b = append(b, p.chain[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.position))
	return Cursor(base64.RawURLEncoding.EncodeToString(b))
}

func (c Cursor) key() (p cursorKey, err error) {
	b, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil || len(b) != cursorKeyLen {
		return p, &FieldError{Field: "after", Value: cut(clean(string(c)), MaxText), Rule: "is not a cursor of a list"}
	}
	p.at = time.UnixMicro(int64(binary.BigEndian.Uint64(b)))
	copy(p.chain[:], b[8:])
	p.position = int64(binary.BigEndian.Uint64(b[24:]))
	if year := p.at.UTC().Year(); year < 1 || year > 9999 {
		return p, &FieldError{Field: "after", Value: string(c), Rule: "is not a cursor of a list"}
	}
	return p, nil
}

// validate checks the filter and sets its defaults.
func (f Filter) validate() (Filter, error) {
	if f.Limit < 0 || f.Limit > MaxPageSize {
		return f, &FieldError{Field: "limit", Value: itoa(int64(f.Limit)), Rule: "is not between 0 and 1000"}
	}
	if f.Limit == 0 {
		f.Limit = defaultPageSize
	}
	if f.Order < Oldest || f.Order > Newest {
		return f, &FieldError{Field: "order", Value: itoa(int64(f.Order)), Rule: "is neither Oldest nor Newest"}
	}
	for _, a := range f.Actions {
		if !a.valid() {
			return f, &FieldError{
				Field: "actions",
				Value: cut(clean(string(a)), MaxText),
				Rule:  "is not 1 to 64 of a-z, 0-9, _ and .",
			}
		}
	}
	for field, text := range map[string]string{"actor": f.Actor, "request_id": f.RequestID} {
		if clean(text) != text {
			return f, &FieldError{Field: field, Value: cut(clean(text), MaxText), Rule: "holds a NUL or is not valid UTF-8"}
		}
	}
	for field, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if year := t.UTC().Year(); year < 1 || year > 9999 {
			return f, &FieldError{Field: field, Value: t.String(), Rule: "is not between the years 1 and 9999"}
		}
	}
	return f, nil
}

// sql returns the query for a page of limit records, with its arguments.
func (f Filter) sql(limit int) (string, []any, error) {
	var conditions []string
	var args []any
	where := func(condition string, values ...any) {
		places := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			places[i] = len(args)
		}
		conditions = append(conditions, fmt.Sprintf(condition, places...))
	}
	if len(f.Tenants) == 1 {
		where("tenant_id = $%d", f.Tenants[0]) // so that the index gives the order, too
	} else if len(f.Tenants) > 0 {
		where("tenant_id = any($%d)", f.Tenants)
	}
	if len(f.Actions) > 0 {
		names := make([]string, len(f.Actions))
		for i, a := range f.Actions {
			names[i] = string(a)
		}
		where("action = any($%d)", names)
	}
	if f.Actor != "" {
		where("actor = $%d", cut(f.Actor, MaxText))
	}
	if f.RequestID != "" {
		where("request_id = $%d", cut(f.RequestID, MaxText))
	}
	if f.IP.IsValid() {
		where("ip <<= $%d", f.IP.Masked())
	}
	if !f.Since.IsZero() { // a chain's month is never before that of its rows: months before hold none
		where("at >= $%d and month >= $%d", f.Since, monthOf(f.Since).first())
	}
	if !f.Until.IsZero() {
		where("at < $%d", f.Until)
	}
	direction, compare := "", ">"
	if f.Order == Newest {
		direction, compare = " desc", "<"
	}
	if f.After != "" {
		p, err := f.After.key()
		if err != nil {
			return "", nil, err
		}
		where(
			"(at, chain, position) "+compare+" ($%d, $%d, $%d) and at "+compare+"= $%d",
			p.at,
			[16]byte(p.chain),
			p.position,
			p.at,
		)
	}
	sql := "select " + recordColumns + " from {registry}.audit_log"
	if len(conditions) > 0 {
		sql += " where " + strings.Join(conditions, " and ")
	}
	args = append(args, limit)
	return sql + fmt.Sprintf(" order by at%s, chain%[1]s, position%[1]s limit $%d", direction, len(args)), args, nil
}
