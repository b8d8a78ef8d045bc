package metrics

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// MaxTopTenants is the maximum of [Config].TopTenants: each tenant costs some forty series in every
// process.
const MaxTopTenants = 1000

// Config configures [Metrics]. The zero value is usable.
type Config struct {
	// TopTenants is the number of tenants with their own series: the most active ones, and for sizes
	// and ages the largest and oldest. Default: 25; negative: none; maximum [MaxTopTenants].
	TopTenants int

	// MaxTenants is the number of tenants that are counted separately, at about a kilobyte each.
	// Further tenants count as "other". Default: 100,000.
	MaxTenants int

	// RankInterval is the time between decisions about which tenants have their own series. A free
	// series is assigned at the next scrape. Default: 1 minute.
	RankInterval time.Duration

	// Buckets are the upper bounds of the histogram of request durations, in seconds, in increasing
	// order, at most 50. Default: eleven, from 5 ms to 10 s.
	Buckets []float64

	// TenantsInterval is the time between lists of [Sources].Tenants. Default: 30 seconds.
	TenantsInterval time.Duration

	// StorageInterval is the time between reads of schema sizes. Default: 5 minutes.
	StorageInterval time.Duration

	// MigrationsInterval is the time between reads of migration states. Default: 5 minutes.
	MigrationsInterval time.Duration

	// BackupsInterval is the time between calls of [Sources].Backups. Default: 5 minutes.
	BackupsInterval time.Duration

	// SurveyTimeout bounds each of these reads. Default: 1 minute.
	SurveyTimeout time.Duration

	// Logger receives errors of these reads. Nil discards.
	Logger *slog.Logger
}

var defaultBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// withDefaults returns the configuration with its defaults, or a [tenancy.FieldError].
func (c Config) withDefaults() (Config, error) {
	c.TopTenants = max(cmp.Or(c.TopTenants, 25), -1)
	c.MaxTenants = cmp.Or(c.MaxTenants, 100_000)
	c.RankInterval = cmp.Or(c.RankInterval, time.Minute)
	c.TenantsInterval = cmp.Or(c.TenantsInterval, 30*time.Second)
	c.StorageInterval = cmp.Or(c.StorageInterval, 5*time.Minute)
	c.MigrationsInterval = cmp.Or(c.MigrationsInterval, 5*time.Minute)
	c.BackupsInterval = cmp.Or(c.BackupsInterval, 5*time.Minute)
	c.SurveyTimeout = cmp.Or(c.SurveyTimeout, time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Buckets = slices.Clone(c.Buckets); len(c.Buckets) == 0 {
		c.Buckets = defaultBuckets
	}
	return c, c.validate()
}

func (c Config) validate() error {
	if c.TopTenants > MaxTopTenants {
		return &tenancy.FieldError{Field: "top_tenants", Value: strconv.Itoa(c.TopTenants), Rule: "is more than 1000"}
	}
	if c.MaxTenants < 0 {
		return &tenancy.FieldError{Field: "max_tenants", Value: strconv.Itoa(c.MaxTenants), Rule: "is negative"}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"rank_interval", c.RankInterval},
		{"tenants_interval", c.TenantsInterval},
		{"storage_interval", c.StorageInterval},
		{"migrations_interval", c.MigrationsInterval},
		{"backups_interval", c.BackupsInterval},
		{"survey_timeout", c.SurveyTimeout},
	} {
		if d.value < time.Millisecond || d.value > 24*time.Hour {
			return &tenancy.FieldError{
				Field: d.field,
				Value: d.value.String(),
				Rule:  "is not between 1 millisecond and 24 hours",
			}
		}
	}
	if len(c.Buckets) > 50 {
		return &tenancy.FieldError{Field: "buckets", Value: strconv.Itoa(len(c.Buckets)), Rule: "are more than 50"}
	}
	for i, b := range c.Buckets {
		if math.IsNaN(b) || math.IsInf(b, 0) || b <= 0 || i > 0 && b <= c.Buckets[i-1] {
			return &tenancy.FieldError{Field: "buckets", Value: fmt.Sprint(c.Buckets), Rule: "are not positive and increasing"}
		}
	}
	return nil
}
