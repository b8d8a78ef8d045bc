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

// Config configures a [Quarantine].
type Config struct {
	// Runner has the program's migrations and reads the state of schemas. Required.
	Runner *migrate.Runner

	// Schemas lists the schemas of the tenants, as [tenancy.Manager.Schemas] does. Required.
	Schemas migrate.List

	// Results are the results of a preceding migration run, if any. A schema whose migration failed is
	// then [Failed] with that error instead of [Behind]. Default: none.
	Results []migrate.Result

	// Interval is the time between checks of all schemas. It is extended to at least ten times the
	// duration of a check. Default: 30 seconds.
	Interval time.Duration

	// Recheck is the time between checks of the schemas in quarantine, extended in the same way.
	// Default: 1 second.
	Recheck time.Duration

	// Timeout bounds each check. Default: 1 minute.
	Timeout time.Duration

	// FirstTimeout bounds how long a request waits for the first check of a schema. Default: 2
	// seconds.
	FirstTimeout time.Duration

	// RetryAfter is the Retry-After of responses for the reasons [Behind] and [Unknown]. Other reasons
	// need an operator, and the response has no Retry-After. Default: 30 seconds.
	RetryAfter time.Duration

	// Changed is called when a schema enters or leaves quarantine, or when its reason changes. Calls
	// do not overlap. It must not block and must not call the Quarantine. Default: none.
	Changed func(ctx context.Context, c Change)

	// Logger receives a record for each change and for each failed check. Nil discards.
	Logger *slog.Logger
}

// Change describes a change of one schema.
type Change struct {
	Schema string
	Before *Entry // nil: the schema enters quarantine
	After  *Entry // nil: the schema leaves quarantine
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
		{"first_timeout", c.FirstTimeout},
		{"retry_after", c.RetryAfter},
	} {
		if d.value < time.Millisecond || d.value > 24*time.Hour {
			err := &tenancy.FieldError{
				Field: d.field,
				Value: d.value.String(),
				Rule:  "is not between 1 millisecond and 24 hours",
			}
			return c, fmt.Errorf("quarantine: %w", err)
		}
	}
	return c, nil
}
