package resolver

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// Config says what hosts stand for and how a [Directory] stays current. The zero value is valid.
type Config struct {
	// PublicHosts stand for the public site. The directory normalises them. A host that is listed here
	// and is also a tenant's domain stands for the public site, so that no tenant can take over the
	// public site by registering its host. Default: none.
	PublicHosts []string

	// BaseDomains give each tenant the host <slug>.<base>, without a domain in the registry. The
	// directory normalises them. They must not be IP addresses. If such a host is also the verified
	// domain of another tenant, it is [ErrAmbiguous]. Default: none.
	BaseDomains []string

	// RegistrySchema is the schema of the registry, as in [tenancy.Config]. Default: public.
	RegistrySchema string

	// WWW is what a host that begins with "www." stands for. Default: [WWWSeparate].
	WWW WWW

	// Connect opens the connection that listens for changes. The Directory closes it. ctx governs only
	// the opening. Set Connect if the pool of the [Database] goes through a pooler or to a replica:
	// neither can LISTEN ([ErrNotListening]). Any login can be used, as LISTEN needs no privilege.
	// OnNotification of the connection's configuration must be nil.
	//
	// With a replica, a notification may arrive before the replica has the change. Only the next
	// Reconcile finds such a change, so choose a short one. Until then memory is as old as the
	// replica, although [Status] and [Directory.Refresh] report that it is current.
	// Default: [Database].Connect.
	Connect func(ctx context.Context) (*pgx.Conn, error)

	// KeepAlive is how often the listening connection is pinged, and how long an answer may take.
	// Default: 2 seconds.
	KeepAlive time.Duration

	// Reconcile is how often everything is read again, less a random tenth. Default: 1 minute.
	Reconcile time.Duration

	// LoadTimeout limits each query to the registry, and the test that notifications arrive.
	// Default: 30 seconds.
	LoadTimeout time.Duration

	// MissInterval is how often the token bucket gets a token. A token pays for one query for unknown
	// hosts. Default: 1 second.
	MissInterval time.Duration

	// MissBurst is the capacity of the token bucket. If it is negative, unknown hosts cause no query.
	// Default: 3.
	MissBurst int

	// MissTimeout limits how long a request for an unknown host waits for that query.
	// Default: 250 milliseconds.
	MissTimeout time.Duration

	// Logger receives lost connections, failed loads, and hosts with two owners. Default: nil,
	// discards.
	Logger *slog.Logger
}

// WWW is what the host www.x stands for.
type WWW int

const (
	// WWWSeparate: www.x is a host like any other.
	WWWSeparate WWW = iota

	// WWWSame: www.x stands for the same as x, unless www.x itself is registered. The slug "www" has
	// no host under a base domain.
	WWWSame
)

// maxInterval keeps sums of durations far from overflow.
const maxInterval = 24 * time.Hour

// withDefaults returns the configuration with its defaults, or a [tenancy.FieldError] if it is
// invalid.
func (c Config) withDefaults() (Config, error) {
	c.KeepAlive = cmp.Or(c.KeepAlive, 2*time.Second)
	c.Reconcile = cmp.Or(c.Reconcile, time.Minute)
	c.LoadTimeout = cmp.Or(c.LoadTimeout, 30*time.Second)
	c.MissInterval = cmp.Or(c.MissInterval, time.Second)
	c.MissTimeout = cmp.Or(c.MissTimeout, 250*time.Millisecond)
	c.MissBurst = cmp.Or(c.MissBurst, 3)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	for field, d := range map[string]time.Duration{
		"keep_alive": c.KeepAlive, "reconcile": c.Reconcile, "load_timeout": c.LoadTimeout,
		"miss_interval": c.MissInterval, "miss_timeout": c.MissTimeout,
	} {
		if d < time.Millisecond || d > maxInterval {
			return c, &tenancy.FieldError{
				Field: field, Value: d.String(), Rule: "is not between 1 millisecond and 24 hours",
			}
		}
	}
	if c.WWW != WWWSeparate && c.WWW != WWWSame {
		return c, &tenancy.FieldError{Field: "www", Value: fmt.Sprint(int(c.WWW)), Rule: "is not a policy"}
	}
	return c, nil
}
