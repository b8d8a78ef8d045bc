package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) auditTail() *cobra.Command {
	return m.verb(verb{
		use:   "tail [SLUG]",
		short: "Show the newest records of the access log",
		long: `Show the newest records of the access log, newest last, of one tenant or of all. With
--follow it then prints new records as they are written, until Ctrl-C. The columns are time, tenant,
action, actor, address and details. An empty column is "-".

The JSON is that of 'audit export'.`,
		example: "  $0 audit tail schoola -n 50\n  $0 audit tail --action login_failed,permission_denied --follow --json",
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needAudit},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			recordFlags(f)
			f.IntP("lines", "n", 20, fmt.Sprintf("number of records, at most %d", audit.MaxPageSize))
			f.BoolP("follow", "f", false, "print new records until Ctrl-C")
		},
		run: tailLog,
	})
}

func tailLog(ctx context.Context, c *call) error {
	f, err := c.records(ctx)
	if err != nil {
		return err
	}
	n, follow := flagOf[int](c.cmd, "lines"), flagOf[bool](c.cmd, "follow")
	if n < 0 || n > audit.MaxPageSize || n == 0 && !follow {
		return usagef("--lines must be between 1 and %d", audit.MaxPageSize)
	}
	f.Order, f.Limit = audit.Newest, max(n, 1)
	page, err := c.newest(ctx, f)
	if err != nil {
		return err
	}
	seen := newSeen(time.Now())
	for i, r := range slices.Backward(page.Records) {
		seen.add(r)
		if i >= n {
			continue
		}
		if err := c.record(r); err != nil {
			return err
		}
	}
	if !follow {
		return nil
	}
	return c.follow(ctx, f, seen)
}

// newest returns the newest records. A query over all tenants is fast only in a bounded range of
// time. So the range grows until the page is full.
func (c *call) newest(ctx context.Context, f audit.Filter) (page audit.Page, err error) {
	const day = 24 * time.Hour
	if len(f.Tenants) == 0 && f.Since.IsZero() {
		end := f.Until
		if end.IsZero() {
			end = time.Now()
		}
		for _, back := range []time.Duration{time.Hour, day, 30 * day} {
			f.Since = end.Add(-back)
			if page, err = c.Audit.List(ctx, f); err != nil || len(page.Records) == f.Limit {
				return page, err
			}
		}
		f.Since = time.Time{}
	}
	return c.Audit.List(ctx, f)
}

// Several processes write records, so that records become visible slightly out of order. So each
// poll also reads the last seconds of the previous polls again.
const (
	followEvery = time.Second
	followBack  = 15 * time.Second
)

func (c *call) follow(ctx context.Context, f audit.Filter, seen *seenRecords) error {
	f.Order, f.Limit = audit.Oldest, audit.MaxPageSize
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		f.Since = seen.since
		for r, err := range c.Audit.All(ctx, f) {
			if ctx.Err() != nil {
				return nil // Ctrl-C is the regular end of --follow
			}
			if err != nil {
				return err
			}
			if seen.add(r) {
				if err := c.record(r); err != nil {
					return err
				}
			}
		}
		seen.forget(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// seenRecords remembers the records of the last followBack.
type seenRecords struct {
	since time.Time // the next poll reads from this time on
	at    map[recordKey]time.Time
}

type recordKey struct {
	chain    audit.ChainID
	position int64
}

func newSeen(now time.Time) *seenRecords {
	return &seenRecords{since: now.Add(-followBack), at: map[recordKey]time.Time{}}
}

// add remembers a record and reports whether it is new.
func (s *seenRecords) add(r audit.Record) bool {
	key := recordKey{r.Chain, r.Position}
	_, known := s.at[key]
	s.at[key] = r.Time
	return !known
}

func (s *seenRecords) forget(now time.Time) {
	s.since = now.Add(-followBack)
	for key, at := range s.at {
		if at.Before(s.since) {
			delete(s.at, key)
		}
	}
}

// recordJSON is a record as [audit.Reader.Export] writes it.
type recordJSON struct {
	Time      time.Time      `json:"time"`
	Tenant    int64          `json:"tenant"`
	Slug      string         `json:"slug,omitempty"`
	Schema    string         `json:"schema,omitempty"`
	Action    audit.Action   `json:"action"`
	Actor     string         `json:"actor,omitempty"`
	IP        string         `json:"ip,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Details   map[string]any `json:"details,omitempty"`
	Chain     string         `json:"chain"`
	Position  int64          `json:"position"`
	Seq       int64          `json:"seq"`
	Hash      string         `json:"hash"`
	Received  time.Time      `json:"received"`
}

// cell returns a value as it is printed in its column. An empty value becomes "-", so that no value
// is read in the column of another. A value with spaces is quoted.
func cell(text string) string {
	switch {
	case text == "":
		return "-"
	case strings.ContainsFunc(text, unicode.IsSpace):
		return strconv.Quote(text)
	}
	return text
}

func (c *call) record(r audit.Record) error {
	ip := ""
	if r.IP.IsValid() {
		ip = r.IP.String()
	}
	return c.result(recordJSON{
		Time:      r.Time,
		Tenant:    r.Tenant,
		Slug:      r.Slug,
		Schema:    r.Schema,
		Action:    r.Action,
		Actor:     r.Actor,
		IP:        ip,
		RequestID: r.RequestID,
		Details:   r.Details,
		Chain:     r.Chain.String(),
		Position:  r.Position,
		Seq:       r.Seq,
		Hash:      r.Hash.String(),
		Received:  r.Received,
	}, func() {
		slug := r.Slug
		if r.Tenant == 0 {
			slug = ""
		}
		details := ""
		if len(r.Details) > 0 {
			if text, err := json.Marshal(r.Details); err == nil {
				details = string(text)
			}
		}
		line := fmt.Sprintf("%s  %-16s %-18s %-16s %-15s %s",
			moment(r.Time), cell(slug), r.Action, cell(r.Actor), cell(ip), details)
		c.linef("%s", strings.TrimRight(line, " "))
	})
}
