package migrate

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// tableRows is how many results of one outcome a table shows. Failures are an exception: a table
// shows all of them.
const tableRows = 10

// WriteTable writes the report for people: failures first, then schemas that were not started, then
// the others, and a summary as the last line. Of outcomes that are no failure it shows ten schemas
// each.
func (r Report) WriteTable(w io.Writer) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Results) > 0 {
		fmt.Fprintln(tab, "SCHEMA\tOUTCOME\tVERSION\tTIME\tWHAT")
	}
	for _, outcome := range summaryOrder {
		shown := 0
		for _, res := range r.Results {
			if res.Outcome != outcome {
				continue
			}
			if shown++; shown <= tableRows || outcome.failed() {
				fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\n", res.Schema, outcome, res.versions(), res.took(), res.what())
			}
		}
		if more := shown - tableRows; more > 0 && !outcome.failed() {
			fmt.Fprintf(tab, "... and %d more\t%s\t\t\t\n", more, outcome)
		}
	}
	if len(r.Results) > 0 {
		fmt.Fprintln(tab)
	}
	if r.Stopped != nil {
		fmt.Fprintf(tab, "stopped: %s\n", oneLine(r.Stopped.Error()))
	}
	fmt.Fprintf(tab, "%d schemas in %s: %s\n", r.Listed, shortTime(r.Duration), r.Summary())
	return tab.Flush()
}

func (res Result) versions() string {
	switch {
	case res.Outcome == Unregistered || res.Outcome == Missing || res.From == 0 && res.To == 0:
		return "-"
	case res.From == res.To:
		return strconv.FormatInt(res.From, 10)
	}
	return fmt.Sprintf("%d -> %d", res.From, res.To)
}

func (res Result) took() string {
	if res.Duration == 0 {
		return "-"
	}
	return shortTime(res.Duration)
}

func shortTime(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

// what describes the result without the name of the schema, which the line has already.
func (res Result) what() string {
	var failure *Error
	var pgErr *pgconn.PgError
	switch {
	case res.Err == nil && res.Outcome == Unregistered:
		return "not on the list"
	case res.Err == nil && len(res.Applied) > 0:
		return "applied " + joinVersions(res.Applied)
	case res.Err == nil:
		return ""
	case errors.As(res.Err, &failure):
		where := failure.Source + "/" + failure.File
		if failure.Line > 0 {
			where += ":" + strconv.Itoa(failure.Line)
		}
		if errors.As(failure.Err, &pgErr) {
			return oneLine(where + ": " + pgErr.Message + " (" + pgErr.Code + ")")
		}
		return oneLine(where + ": " + failure.Err.Error())
	}
	return oneLine(strings.TrimPrefix(res.Err.Error(), fmt.Sprintf("migrate schema %q: ", res.Schema)))
}

// joinVersions returns the first five versions and how many more there are.
func joinVersions(versions []int64) string {
	var parts []string
	for _, v := range versions[:min(len(versions), 5)] {
		parts = append(parts, strconv.FormatInt(v, 10))
	}
	if more := len(versions) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

// oneLine replaces line ends and tabs in the messages of servers and functions, which would break
// the table.
func oneLine(s string) string {
	return strings.Join(
		strings.FieldsFunc(s, func(c rune) bool { return slices.Contains([]rune{'\n', '\r', '\t', '\v', '\f'}, c) }),
		" ",
	)
}
