package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// printer writes the output of a command to standard output: text for people, or JSON.
type printer struct {
	w      io.Writer
	json   bool
	colour bool
	failed error // the first error of writing text
}

// result writes one value: as one line of JSON, or by text. A write error is returned, so that a
// truncated file on a full disk is not taken for the complete output.
func (p *printer) result(value any, text func()) error {
	if !p.json {
		text()
		return p.failed
	}
	return p.value(value)
}

// written returns fn with an additional check: it fails if a line of text could not be written.
// This covers lists, whose lines are not written by result.
func written(fn action) action {
	return func(ctx context.Context, c *call) error {
		if err := fn(ctx, c); err != nil {
			return err
		}
		return c.failed
	}
}

// print writes a line that is already clean.
func (p *printer) print(line string) {
	if _, err := fmt.Fprintln(p.w, line); err != nil && p.failed == nil {
		p.failed = err
	}
}

// value writes a value as one line of JSON.
func (p *printer) value(v any) error {
	enc := json.NewEncoder(p.w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// linef writes a line of text, escaped for the terminal.
func (p *printer) linef(format string, args ...any) {
	p.print(clean(fmt.Sprintf(format, args...)))
}

// lines writes text of several lines.
func (p *printer) lines(text string) {
	for line := range strings.Lines(text) {
		p.linef("%s", strings.TrimRight(line, "\n"))
	}
}

// fields writes pairs of a name and a value, aligned. Pairs with an empty value are left out.
func (p *printer) fields(pairs ...string) {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		width = max(width, len(pairs[i]))
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			p.print(fmt.Sprintf("%-*s  %s", width, pairs[i], p.paint(clean(pairs[i+1]))))
		}
	}
}

// table writes rows in aligned columns. The first row has the names of the columns.
func (p *printer) table(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			row[i] = clean(cell)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(p.paint(cell))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		p.print(strings.TrimRight(b.String(), " "))
	}
}

// colours are the colours of words that describe a state, as SGR parameters.
var colours = map[string]string{
	"active":       "32",
	"applied":      "32",
	"done":         "32",
	"equal":        "32",
	"verified":     "32",
	"current":      "32",
	"migrated":     "32",
	"suspended":    "33",
	"maintenance":  "33",
	"provisioning": "33",
	"pending":      "33",
	"behind":       "33",
	"warn":         "33",
	"claimed":      "33",
	"dropping":     "31",
	"failed":       "31",
	"different":    "31",
	"refuse":       "31",
	"changed":      "31",
	"unknown":      "31",
	"missing":      "31",
}

// paint colours a word, if the output has colours.
func (p *printer) paint(word string) string {
	if code, ok := colours[word]; ok && p.colour {
		return "\x1b[" + code + "m" + word + "\x1b[0m"
	}
	return word
}

// colourful reports whether w is a terminal and its user has not disabled colours (no-color.org).
func colourful(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

// isTerminal reports whether a stream of a command is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// moment formats a time for people, in UTC. The zero time is "".
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// age formats the time since t for people.
func age(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "less than a minute ago"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// size formats a number of bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	value, units := float64(n)/unit, "KMGTP"
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %ciB", value, units[0])
}

// count formats a number with its noun: "1 tenant", "2 tenants".
func count[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprint(n) + " " + noun + "s"
}
