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

// Config configures a [Store].
type Config struct {
	// Namespace separates platforms that share a Redis. It matches [a-z0-9_.-]{1,64}. Default:
	// [DefaultNamespace].
	Namespace string

	// Secret is the HMAC key for callers, the same in all processes. Without a secret, a reader of
	// Redis can find out by trying whether a certain address made requests. Default: none.
	Secret []byte

	// Fallback selects what is decided while Redis does not answer. Default: [Local].
	Fallback Fallback

	// Timeout bounds one decision: both buckets, with all that the client does for them. Default:
	// [DefaultTimeout].
	Timeout time.Duration

	// Pause is how long the circuit stays open after three consecutive failures. Default:
	// [DefaultPause].
	Pause time.Duration

	// Buckets decide if Fallback is Local. Default: buckets with the default bounds of
	// ratelimit.NewBuckets.
	Buckets *ratelimit.Buckets
}

var namespace = regexp.MustCompile(`^[a-z0-9_.-]{1,64}$`)

func (c Config) withDefaults() (Config, error) {
	c.Namespace = cmp.Or(c.Namespace, DefaultNamespace)
	c.Timeout, c.Pause = cmp.Or(c.Timeout, DefaultTimeout), cmp.Or(c.Pause, DefaultPause)
	switch {
	case !namespace.MatchString(c.Namespace):
		return c, &tenancy.FieldError{Field: "namespace", Value: c.Namespace, Rule: "does not match [a-z0-9_.-]{1,64}"}
	case c.Fallback < Local || c.Fallback > FailClosed:
		return c, &tenancy.FieldError{
			Field: "fallback",
			Value: strconv.Itoa(int(c.Fallback)),
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

// checkClient returns an error if client ignores context timeouts: it would wait for a hanging
// Redis for seconds, and retry.
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
	default: // a wrapper, whose options are unknown
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
