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

// MaxText is the maximum length of an actor, slug, schema name and request id, in bytes. Longer
// texts are cut and end in "…". So a client that chooses a long text cannot prevent its entry.
const MaxText = 200

// Entry describes something that was done. Texts may contain anything: NUL and invalid UTF-8, which
// PostgreSQL cannot store, are replaced by U+FFFD.
type Entry struct {
	// Tenant is the id of the tenant, 0 for the platform. The tenant need not exist any more. Default:
	// the tenant of the context.
	Tenant int64

	// Slug and Schema are the names of the tenant at the time. Default: those of the tenant of the
	// context, and for Schema the schema of the context.
	Slug, Schema string

	// Action is what was done. Required.
	Action Action

	// Actor is who did it: the name of a user, a job or a service. Default: the actor of the context,
	// see [NewContext].
	Actor string

	// Time is when it was done. A time in the future of the process's clock is replaced by now.
	// Default: now.
	Time time.Time

	// IP is the address of the actor. It is as reliable as its source, see
	// [tenanthttp.Proxies.ClientIP]. Default: that of the context.
	IP netip.Addr

	// RequestID is the id of the request, as in other logs. Default: that of the context.
	RequestID string

	// Details is a JSON object of at most [MaxDetails] bytes. Of details that are longer, or nested
	// more than 32 deep, only the beginning is stored, under "truncated_text". Values of keys that
	// contain "password", "secret", "token", "cookie" or the like are replaced by "[redacted]".
	// Details are encoded before the method returns.
	Details map[string]any
}

// entry is an [Entry] in the queue.
type entry struct {
	tenant                         int64
	slug, schema, actor, requestID string
	action                         Action
	at                             int64 // microseconds
	ip                             netip.Addr
	details                        string // canonical JSON; "": those of request
	request                        requestRecord
}

// requestRecord holds the details of a request. The writer's goroutine encodes them.
type requestRecord struct {
	method, path, host string
	status             int
	end                int // of its details in the text of a batch
	duration           time.Duration
}

// entry validates e and fills in the defaults from ctx and the clock.
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

// fill sets empty fields of e from ctx. The names of the context's tenant are used only for an
// entry of that tenant.
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

// sanitize cuts and cleans the texts of an entry. The writer calls it, because it may take time.
func (e *entry) sanitize() {
	e.slug, e.schema = cut(clean(e.slug), MaxText), cut(clean(e.schema), MaxText)
	e.actor, e.requestID = cut(clean(e.actor), MaxText), cut(clean(e.requestID), MaxText)
	e.ip = e.ip.Unmap().WithZone("")
}

// sanitize prepares entries for the database. The details of all requests share one string, because
// there are many and they are freed together.
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

// cut returns at most limit bytes of s, in whole characters, with an ellipsis if something was cut.
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
