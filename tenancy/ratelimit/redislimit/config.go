package redislimit

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// The defaults of [Config].
const (
	DefaultNamespace = "pgtenant"
	DefaultTimeout   = 50 * time.Millisecond
	DefaultPause     = time.Second
)

// Config says how a [Store] uses Redis.
type Config struct {
	// Namespace keeps platforms that share a Redis apart. It matches [a-z0-9_.-]{1,64}. Default: [DefaultNamespace].
	Namespace string

	// Secret is the key under which callers are hashed, the same in all processes. Without one, who can read Redis can
	// find out whether a certain address was there, by trying. Default: none.
	Secret []byte

	// Away says what is decided while Redis does not answer. Default: [Local].
	Away Away

	// Timeout is how long one decision waits for Redis, for both buckets and with everything that the client does for them.
	// Default: [DefaultTimeout].
	Timeout time.Duration

	// Pause is for how long nobody asks Redis after three failures in a row. Default: [DefaultPause].
	Pause time.Duration

	// Buckets decide for Local. Default: buckets with the bounds that ratelimit.NewBuckets gives.
	Buckets *ratelimit.Buckets
}

var namespace = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

func (c Config) withDefaults() (Config, error) {
	c.Namespace = cmp.Or(c.Namespace, DefaultNamespace)
	c.Timeout, c.Pause = cmp.Or(c.Timeout, DefaultTimeout), cmp.Or(c.Pause, DefaultPause)
	switch {
	case !namespace.MatchString(c.Namespace):
		return c, &tenancy.FieldError{Field: "namespace", Value: c.Namespace, Rule: "does not match [a-z0-9_.-]{1,64}"}
	case c.Away < Local || c.Away > FailClosed:
		return c, &tenancy.FieldError{
			Field: "away",
			Value: strconv.Itoa(int(c.Away)),
			Rule:  "is not Local, FailOpen or FailClosed",
		}
	case c.Timeout < 0:
		return c, &tenancy.FieldError{Field: "timeout", Value: c.Timeout.String(), Rule: "is negative"}
	case c.Pause < 0:
		return c, &tenancy.FieldError{Field: "pause", Value: c.Pause.String(), Rule: "is negative"}
	}
	var err error
	if c.Buckets == nil {
		c.Buckets, err = ratelimit.NewBuckets(ratelimit.BucketsConfig{})
	}
	return c, err
}

// checkClient returns an error unless client gives up when a context ends: it would wait for a Redis that hangs for
// seconds, and try again.
func checkClient(client redis.UniversalClient) error {
	gives := false
	switch client := client.(type) {
	case nil:
		return errors.New("redislimit: client is nil")
	case *redis.Client:
		gives = client.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		gives = client.Options().ContextTimeoutEnabled
	case *redis.Ring:
		gives = client.Options().ContextTimeoutEnabled
	default: // a wrapper, who knows
		return nil
	}
	if !gives {
		return &tenancy.FieldError{
			Field: "client",
			Value: "ContextTimeoutEnabled: false",
			Rule:  "does not heed the timeout of a decision",
		}
	}
	return nil
}
