package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// funcs are the functions that the templates use.
var funcs = template.FuncMap{
	"when":  When,
	"ago":   func(t time.Time) string { return Ago(time.Since(t)) },
	"bytes": Bytes,
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"lines": func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") },
	"field": func(label, name, value, wrong string) Input { return Input{label, name, value, wrong} },
}

// Input is a labelled field of a form, for the template "field". Wrong is the reason why the value
// was refused.
type Input struct{ Label, Name, Value, Wrong string }

// When formats a time in UTC, which is the same for all readers.
func When(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006 15:04:05") + " UTC"
}

// Ago formats a duration in its largest unit.
func Ago(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / unit.size); n == 1 {
			return "1 " + unit.name + " ago"
		} else if n > 1 {
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		}
	}
	return "just now"
}

// Bytes formats a size in the unit that leaves one to four digits.
func Bytes(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, unit)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}
