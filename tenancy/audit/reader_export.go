package audit

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Format is the format of an export.
type Format int

const (
	// JSONLines writes each record as a JSON object on a line, with all of its fields. It is the
	// default.
	JSONLines Format = iota

	// CSV writes RFC 4180 with a header line, for spreadsheets. A cell that a spreadsheet would
	// evaluate as a formula is prefixed with "'".
	CSV
)

// Export writes the records that match f to w, page by page, and returns their number. f.Limit is
// the page size; default: [MaxPageSize]. Write an entry with the action [Export] before an export.
// Errors are those of [Reader.List] and of w; w may then have received a part.
func (r *Reader) Export(ctx context.Context, w io.Writer, f Filter, format Format) (n int64, err error) {
	if f.Limit == 0 {
		f.Limit = MaxPageSize
	}
	write, flush, err := exporter(w, format)
	if err != nil {
		return 0, err
	}
	for record, err := range r.All(ctx, f) {
		if err != nil {
			return n, fmt.Errorf("export: %w", err)
		}
		if err := write(record.exported()); err != nil {
			return n, fmt.Errorf("export audit log: %w", err)
		}
		n++
	}
	if err := flush(); err != nil {
		return n, fmt.Errorf("export audit log: %w", err)
	}
	return n, nil
}

// exported is the exported form of a record. Its names are a published format.
type exported struct {
	Time      time.Time      `json:"time"`
	Tenant    int64          `json:"tenant"`
	Slug      string         `json:"slug,omitempty"`
	Schema    string         `json:"schema,omitempty"`
	Action    Action         `json:"action"`
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

func (r Record) exported() exported {
	e := exported{
		Time:      r.Time,
		Tenant:    r.Tenant,
		Slug:      r.Slug,
		Schema:    r.Schema,
		Action:    r.Action,
		Actor:     r.Actor,
		RequestID: r.RequestID,
		Details:   r.Details,
		Chain:     r.Chain.String(),
		Position:  r.Position,
		Seq:       r.Seq,
		Hash:      r.Hash.String(),
		Received:  r.Received,
	}
	if r.IP.IsValid() {
		e.IP = r.IP.String()
	}
	return e
}

func exporter(w io.Writer, format Format) (write func(exported) error, flush func() error, err error) {
	switch format {
	case JSONLines:
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return func(e exported) error { return enc.Encode(e) }, func() error { return nil }, nil
	case CSV:
		out := csv.NewWriter(w)
		flush := func() error {
			out.Flush()
			return out.Error()
		}
		return func(e exported) error { return e.csv(out) }, flush, out.Write(csvNames)
	}
	return nil, nil, &FieldError{Field: "format", Value: itoa(int64(format)), Rule: "is neither JSONLines nor CSV"}
}

var csvNames = []string{
	"time",
	"tenant",
	"slug",
	"schema",
	"action",
	"actor",
	"ip",
	"request_id",
	"details",
	"chain",
	"position",
	"seq",
	"hash",
	"received",
}

func (e exported) csv(out *csv.Writer) error {
	details, err := json.Marshal(e.Details)
	if err != nil {
		return err
	}
	return out.Write([]string{
		e.Time.Format(
			time.RFC3339Nano,
		),
		itoa(e.Tenant),
		cell(e.Slug),
		cell(e.Schema),
		cell(string(e.Action)),
		cell(e.Actor),
		e.IP,
		cell(e.RequestID),
		string(details),
		e.Chain,
		itoa(e.Position),
		itoa(e.Seq),
		e.Hash,
		e.Received.Format(time.RFC3339Nano),
	})
}

// cell prefixes text that a spreadsheet would evaluate as a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
