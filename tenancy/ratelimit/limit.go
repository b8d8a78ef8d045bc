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

// Limit is a token bucket: it holds Burst tokens, is full at first, and gets Requests tokens in
// each Per, evenly. So Requests is the average rate and Burst the number of requests at once.
// Limits can be compared with ==.
//
// The zero Limit is "not set"; the places that take a Limit say which default applies. To allow
// nothing or everything, use [Deny] or [Unlimited]. A limit is a [tenancy.FieldError] wherever it
// is used if it is negative, exceeds the bounds, or sets Per or Burst without Requests.
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

// Unlimited returns the limit that allows every request.
func Unlimited() Limit { return Limit{kind: unlimited} }

// Deny returns the limit that allows no request.
func Deny() Limit { return Limit{kind: nothing} }

// WithBurst returns l with a burst of n requests.
func (l Limit) WithBurst(n int) Limit {
	l.Burst = n
	return l
}

// IsZero reports whether l is not set.
func (l Limit) IsZero() bool { return l == Limit{} }

// IsUnlimited reports whether l is [Unlimited].
func (l Limit) IsUnlimited() bool { return l.kind == unlimited }

// IsDeny reports whether l is [Deny].
func (l Limit) IsDeny() bool { return l.kind == nothing }

// String returns the limit as text, such as "10 per 1s, 20 at once".
func (l Limit) String() string {
	switch {
	case l.IsUnlimited():
		return "unlimited"
	case l.IsDeny():
		return "nothing"
	case l.IsZero():
		return "not set"
	}
	return fmt.Sprintf("%d per %v, %d at once", l.Requests, l.period(), l.Capacity())
}

// Capacity returns the number of tokens in a full bucket: Burst or its default. It is 0 for [Deny]
// and [Unlimited].
func (l Limit) Capacity() int { return cmp.Or(l.Burst, l.Requests) }

// Refill returns the time in which an empty bucket fills. It is 0 for [Deny] and [Unlimited].
func (l Limit) Refill() time.Duration {
	if l.kind != counted || l.Requests <= 0 {
		return 0
	}
	return l.duration(float64(l.Capacity()))
}

func (l Limit) period() time.Duration { return cmp.Or(l.Per, time.Second) }

// perSecond is the number of tokens added in one second.
func (l Limit) perSecond() float64 { return float64(l.Requests) / l.period().Seconds() }

// duration returns the time in which so many tokens are added, rounded up. It returns at most 146
// years, half of what a Duration can hold.
func (l Limit) duration(tokens float64) time.Duration {
	return time.Duration(min(math.Ceil(tokens/float64(l.Requests)*float64(l.period())), 1<<62))
}

// validate returns a FieldError if l is invalid.
func (l Limit) validate(field string) error {
	refuse := func(part, value, rule string) error {
		return &tenancy.FieldError{Field: field + "." + part, Value: value, Rule: rule}
	}
	switch {
	case l.kind != counted:
		return nil
	case l.Requests < 0 || l.Requests > MaxRequests || l.Requests == 0:
		return refuse("requests", fmt.Sprint(l.Requests), "is not between 1 and 1000000000; see Deny and Unlimited")
	case l.Burst < 0 || l.Burst > MaxRequests:
		return refuse("burst", fmt.Sprint(l.Burst), "is not between 0 and 1000000000")
	case l.Per != 0 && (l.Per < MinPer || l.Per > MaxPer):
		return refuse("per", l.Per.String(), "is not between 1ms and 744h")
	}
	return nil
}
