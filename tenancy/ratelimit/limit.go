package ratelimit

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// The bounds of a [Limit].
const (
	MaxRequests = 1_000_000_000       // of Requests and Burst
	MaxPer      = 31 * 24 * time.Hour // of Per
	MinPer      = time.Millisecond    // of Per
)

// Limit is how many requests there may be: Requests in each Per on average, and Burst at once. It
// is a token bucket of Burst tokens, full at first, that gets Requests tokens in each Per, evenly.
// Limits can be compared with ==.
//
// The zero Limit says nothing: what stands for it is told where a Limit is asked for. That nothing
// is allowed, and that everything is, has to be said, by [Nothing] and [Unlimited]. What is
// negative, or more than the bounds, or has no Requests but the rest, is a [tenancy.FieldError]
// wherever a limit is taken.
type Limit struct {
	Requests int
	Per      time.Duration // default: 0, a second
	Burst    int           // default: 0, as many as Requests
	kind     kind
}

type kind uint8

const (
	counted kind = iota
	unlimited
	nothing
)

// PerSecond returns a limit of n requests per second, and n at once.
func PerSecond(n int) Limit { return Limit{Requests: n, Per: time.Second} }

// PerMinute returns a limit of n requests per minute, and n at once.
func PerMinute(n int) Limit { return Limit{Requests: n, Per: time.Minute} }

// PerHour returns a limit of n requests per hour, and n at once.
func PerHour(n int) Limit { return Limit{Requests: n, Per: time.Hour} }

// Unlimited returns the limit that allows everything.
func Unlimited() Limit { return Limit{kind: unlimited} }

// Nothing returns the limit that allows nothing.
func Nothing() Limit { return Limit{kind: nothing} }

// WithBurst returns l with n requests at once.
func (l Limit) WithBurst(n int) Limit {
	l.Burst = n
	return l
}

// IsZero reports whether l says nothing.
func (l Limit) IsZero() bool { return l == Limit{} }

// IsUnlimited reports whether l is [Unlimited].
func (l Limit) IsUnlimited() bool { return l.kind == unlimited }

// IsNothing reports whether l is [Nothing].
func (l Limit) IsNothing() bool { return l.kind == nothing }

// String returns the limit for people: "10 per 1s, 20 at once".
func (l Limit) String() string {
	switch {
	case l.IsUnlimited():
		return "unlimited"
	case l.IsNothing():
		return "nothing"
	case l.IsZero():
		return "not set"
	}
	return fmt.Sprintf("%d per %v, %d at once", l.Requests, l.period(), l.Capacity())
}

// Capacity returns how many tokens a full bucket holds: Burst or its default. It is 0 for what is
// not counted.
func (l Limit) Capacity() int { return cmp.Or(l.Burst, l.Requests) }

// Refill returns how long an empty bucket takes to be full, or 0 for what is not counted.
func (l Limit) Refill() time.Duration {
	if l.kind != counted || l.Requests <= 0 {
		return 0
	}
	return l.duration(float64(l.Capacity()))
}

func (l Limit) period() time.Duration { return cmp.Or(l.Per, time.Second) }

// perSecond is how many tokens a second brings.
func (l Limit) perSecond() float64 { return float64(l.Requests) / l.period().Seconds() }

// duration is how long so many tokens take to come, rounded up, and at most 146 years: a Duration
// holds no more than twice that.
func (l Limit) duration(tokens float64) time.Duration {
	return time.Duration(min(math.Ceil(tokens/float64(l.Requests)*float64(l.period())), 1<<62))
}

// validate returns a FieldError unless l says something that makes sense.
func (l Limit) validate(field string) error {
	refuse := func(part, value, rule string) error {
		return &tenancy.FieldError{Field: field + "." + part, Value: value, Rule: rule}
	}
	switch {
	case l.kind != counted:
		return nil
	case l.Requests < 0 || l.Requests > MaxRequests || l.Requests == 0:
		return refuse("requests", fmt.Sprint(l.Requests), "is not between 1 and 1000000000; see Nothing and Unlimited")
	case l.Burst < 0 || l.Burst > MaxRequests:
		return refuse("burst", fmt.Sprint(l.Burst), "is not between 0 and 1000000000")
	case l.Per != 0 && (l.Per < MinPer || l.Per > MaxPer):
		return refuse("per", l.Per.String(), "is not between 1ms and 744h")
	}
	return nil
}
