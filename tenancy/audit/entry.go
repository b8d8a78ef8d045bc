package audit

import (
	"cmp"
	"context"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// MaxText is the longest actor, slug, schema name and request id that is kept, in bytes. Longer
// ones are cut and end in "…": who is logged may have chosen the text, and must not get out of the
// log by it.
const MaxText = 200

// Entry is something that was done. Text in it may be anything: what PostgreSQL cannot hold, NUL
// and what is no UTF-8, is replaced by U+FFFD.
type Entry struct {
	// Tenant is the id of the tenant, 0 for the platform. It need not exist any more. Default: the
	// tenant of the context.
	Tenant int64

	// Slug and Schema are the tenant's names at the time. Default: those of the tenant of the context,
	// and for Schema the context's.
	Slug, Schema string

	// Action is what was done. Required.
	Action Action

	// Actor is who did it: a user's name, a job's, a service's. Default: that of the context, see
	// [NewContext].
	Actor string

	// Time is when. What lies ahead of the process's clock is taken for now. Default: now.
	Time time.Time

	// IP is where the actor was. It is as true as what it was read from: see
	// [tenanthttp.Proxies.ClientIP]. Default: that of the context.
	IP netip.Addr

	// RequestID is that of the request, as other logs have it. Default: that of the context.
	RequestID string

	// Details are a JSON object of at most [MaxDetails] bytes. Of what is longer, or nested more than
	// 32 deep, the beginning is kept, under "truncated_text". Values under keys that contain
	// "password", "secret", "token", "cookie" or the like are replaced by "[redacted]". They are taken
	// as they are when the entry is given away.
	Details map[string]any
}

// entry is an [Entry] as it waits in the queue.
type entry struct {
	tenant                         int64
	slug, schema, actor, requestID string
	action                         Action
	at                             int64 // microseconds
	ip                             netip.Addr
	details                        string // canonical JSON; "": those of request
	request                        requestRecord
}

// requestRecord is a request and its response, as the middleware leaves it: its details are written
// by the writer's goroutine.
type requestRecord struct {
	method, path, host string
	status             int
	end                int // of its details in the text of a batch
	duration           time.Duration
}

// entry checks e and fills in what ctx and the clock say.
func (e Entry) entry(ctx context.Context, now time.Time) (entry, error) {
	switch {
	case !e.Action.valid():
		return entry{}, &FieldError{
			Field: "action",
			Value: cut(clean(string(e.Action)), MaxText),
			Rule:  "is not 1 to 64 of a-z, 0-9, _ and .",
		}
	case e.Action.reserved():
		return entry{}, &FieldError{Field: "action", Value: string(e.Action), Rule: "is the log's own"}
	case e.Tenant < 0:
		return entry{}, &FieldError{Field: "tenant", Value: strconv.FormatInt(e.Tenant, 10), Rule: "is negative"}
	}
	details, err := encodeDetails(e.Details)
	if err != nil {
		return entry{}, err
	}
	if e.Time.IsZero() || e.Time.After(now) {
		e.Time = now
	}
	if e.Time.UTC().Year() < 1 {
		return entry{}, &FieldError{Field: "time", Value: e.Time.String(), Rule: "is before the year 1"}
	}
	e.fill(ctx)
	return entry{
		tenant: e.Tenant, slug: e.Slug, schema: e.Schema, action: e.Action, actor: e.Actor,
		at: e.Time.UnixMicro(), ip: e.IP, requestID: e.RequestID, details: details,
	}, nil
}

// fill takes from ctx what e leaves open. The names of the context's tenant are not another
// tenant's.
func (e *Entry) fill(ctx context.Context) {
	if t, ok := tenancy.FromContext(ctx); ok && (e.Tenant == 0 || e.Tenant == t.ID) {
		e.Tenant, e.Slug, e.Schema = t.ID, cmp.Or(e.Slug, t.Slug), cmp.Or(e.Schema, t.Schema)
	} else if e.Tenant == 0 && e.Schema == "" {
		e.Schema, _ = schemactx.FromContext(ctx)
	}
	if c, ok := FromContext(ctx); ok {
		e.Actor, e.RequestID = cmp.Or(e.Actor, c.Actor), cmp.Or(e.RequestID, c.RequestID)
		if !e.IP.IsValid() {
			e.IP = c.IP
		}
	}
}

// tidy makes an entry fit for the database. It is the writer's work, as it may take time.
func (e *entry) sanitize() {
	e.slug, e.schema = cut(clean(e.slug), MaxText), cut(clean(e.schema), MaxText)
	e.actor, e.requestID = cut(clean(e.actor), MaxText), cut(clean(e.requestID), MaxText)
	e.ip = e.ip.Unmap().WithZone("")
}

// tidy makes entries fit for the database. All details of requests are in one text: they are many,
// and all go at once.
func (w *writer) sanitize(entries []entry) {
	b := w.text[:0]
	for i := range entries {
		if e := &entries[i]; e.details == "" {
			b = e.request.appendDetails(b)
			e.request.end = len(b)
		}
	}
	w.text = b
	text, begin := string(b), 0
	for i := range entries {
		e := &entries[i]
		e.sanitize()
		if e.details == "" {
			e.details = text[begin:e.request.end]
			begin = e.request.end
		}
	}
}

// cut returns at most limit bytes of s, whole characters, with an ellipsis where something is
// missing.
func cut(s string, limit int) string {
	const ellipsis = "…"
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
