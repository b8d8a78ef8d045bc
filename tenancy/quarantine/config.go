package quarantine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy"
)

// Config says what to look at and how often.
type Config struct {
	// Runner has the program's migrations and reads where schemas stand. Required.
	Runner *migrate.Runner

	// Schemas lists the schemas of the tenants, as [tenancy.Manager.Schemas] does. Required.
	Schemas migrate.List

	// Results are what came of the run of migrations before, if there was one: a schema whose migration failed is [Failed],
	// with that error, and not [Behind]. Default: none.
	Results []migrate.Result

	// Interval is how often all schemas are looked at. Default: 30 seconds. Where a look takes long it is ten times as
	// long as that at least, like Recheck.
	Interval time.Duration

	// Recheck is how often the schemas in quarantine are looked at. Default: 1 second.
	Recheck time.Duration

	// Timeout bounds each look. Default: 1 minute.
	Timeout time.Duration

	// FirstTimeout bounds how long a request waits for the first look at a schema. Default: 2 seconds.
	FirstTimeout time.Duration

	// RetryAfter is what clients are told to wait where the schema is [Behind] or [Unknown]. For other reasons an operator has
	// to do something first, and they are told nothing. Default: 30 seconds.
	RetryAfter time.Duration

	// Changed is called when a schema comes into quarantine, leaves it, or has another reason, one call at a time. It must
	// not block, nor ask the Quarantine. Default: none.
	Changed func(ctx context.Context, c Change)

	// Logger gets a record for each change, and why a look failed. Nil discards.
	Logger *slog.Logger
}

// Change is what became of one schema.
type Change struct {
	Schema string
	Before *Entry // nil: it was not in quarantine
	After  *Entry // nil: it has left
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Runner == nil:
		return c, errors.New("quarantine: Config.Runner is nil")
	case c.Schemas == nil:
		return c, errors.New("quarantine: Config.Schemas is nil")
	}
	c.Interval = cmp.Or(c.Interval, 30*time.Second)
	c.Recheck = cmp.Or(c.Recheck, time.Second)
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.FirstTimeout = cmp.Or(c.FirstTimeout, 2*time.Second)
	c.RetryAfter = cmp.Or(c.RetryAfter, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"interval", c.Interval},
		{"recheck", c.Recheck},
		{"timeout", c.Timeout},
		{"first timeout", c.FirstTimeout},
		{"retry after", c.RetryAfter},
	} {
		if d.value < time.Millisecond || d.value > 24*time.Hour {
			err := &tenancy.FieldError{Field: d.field, Value: d.value.String(), Rule: "is not between 1 millisecond and 24 hours"}
			return c, fmt.Errorf("quarantine: %w", err)
		}
	}
	return c, nil
}
