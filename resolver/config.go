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

// Config says what hosts stand for and how a [Directory] is kept current. The zero value is ready.
type Config struct {
	// PublicHosts stand for the public site. They are normalised. The public site also wins a host that is a
	// tenant's domain: what is written here is the platform's word, and a tenant must not be able to take its
	// site away by registering it. Default: none.
	PublicHosts []string

	// BaseDomains have a host for each tenant: <slug>.<base>, without a domain in the registry. They are normalised
	// and no IP addresses. A host that is at the same time another tenant's verified domain is [ErrAmbiguous].
	// Default: none.
	BaseDomains []string

	// RegistrySchema is the schema of the registry, as in [tenancy.Config]. Default: public.
	RegistrySchema string

	// WWW says what a host that begins with "www." stands for. Default: [WWWSeparate].
	WWW WWW

	// Connect opens the connection that listens to changes, which the Directory closes. Needed where the pool of the
	// [Database] goes through a pooler or to a replica: neither can LISTEN ([ErrNotListening]). Any
	// login can be used, as LISTEN needs no privilege; OnNotification of the connection's
	// configuration stays nil. ctx governs the opening alone. A change may be
	// told before a replica has it, and is then found by Reconcile, which is to be short there: until then memory is what
	// the replica was, though [Status] and [Directory.Refresh] say that it is current. Default: [Database].Connect.
	Connect func(ctx context.Context) (*pgx.Conn, error)

	// KeepAlive is how often the listening connection is asked whether it is alive, and how long it may take to
	// answer. Default: 2 seconds.
	KeepAlive time.Duration

	// Reconcile is how often everything is read again, whatever was heard; it varies by a tenth. Default: 1 minute.
	Reconcile time.Duration

	// LoadTimeout bounds each query to the registry, and the test that notifications arrive. Default: 30 seconds.
	LoadTimeout time.Duration

	// MissInterval is the time in which an unknown host earns one query: the token bucket gets a token.
	// Default: 1 second.
	MissInterval time.Duration

	// MissBurst is how many tokens the bucket holds. Negative: unknown hosts are never asked for. Default: 3.
	MissBurst int

	// MissTimeout bounds how long a request with an unknown host waits for that query. Default: 250 milliseconds.
	MissTimeout time.Duration

	// Logger gets what happens to the connection, failed loads, and hosts that two claim. Default: nil, discards.
	Logger *slog.Logger
}

// WWW says what the host www.x stands for.
type WWW int

const (
	WWWSeparate WWW = iota // whatever www.x itself is registered for; nothing else
	WWWSame                // the same as x, unless www.x itself is registered. The slug "www" has no host under a base
)

// maxInterval keeps sums of durations far from overflow.
const maxInterval = 24 * time.Hour

// withDefaults returns the configuration with its defaults filled in, or what is wrong with it as a
// [tenancy.FieldError].
func (c Config) withDefaults() (Config, error) {
	c.KeepAlive = cmp.Or(c.KeepAlive, 2*time.Second)
	c.Reconcile = cmp.Or(c.Reconcile, time.Minute)
	c.LoadTimeout = cmp.Or(c.LoadTimeout, 30*time.Second)
	c.MissInterval = cmp.Or(c.MissInterval, time.Second)
	c.MissTimeout = cmp.Or(c.MissTimeout, 250*time.Millisecond)
	c.MissBurst = cmp.Or(c.MissBurst, 3)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	for field, d := range map[string]time.Duration{
		"keep alive": c.KeepAlive, "reconcile": c.Reconcile, "load timeout": c.LoadTimeout,
		"miss interval": c.MissInterval, "miss timeout": c.MissTimeout,
	} {
		if d < time.Millisecond || d > maxInterval {
			return c, &tenancy.FieldError{Field: field, Value: d.String(), Rule: "is not between 1 millisecond and 24 hours"}
		}
	}
	if c.WWW != WWWSeparate && c.WWW != WWWSame {
		return c, &tenancy.FieldError{Field: "www", Value: fmt.Sprint(int(c.WWW)), Rule: "is not a policy"}
	}
	return c, nil
}
