package redislimit

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// gcra takes tokens from one bucket, by the generic cell rate algorithm. The value of a bucket is
// the time at which it is full, in seconds since the start of 2017, so that microseconds of it fit
// into a float. The script returns whether it took the tokens, and in seconds, as texts because
// Redis returns numbers as integers: how long until the bucket has enough, and how long until it is
// full.
var gcra = redis.NewScript(`
local interval = ARGV[1] / ARGV[2] -- until there is one token more
local capacity, cost = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call("TIME")
local now = (time[1] - 1483228800) + time[2] / 1000000
local full = math.max(tonumber(redis.call("GET", KEYS[1]) or now), now)
local later = full + interval * cost -- when the bucket is full, without the tokens
local spare = now - (later - interval * capacity)
if spare < 0 then
  return {0, tostring(-spare), tostring(full - now)}
end
if later > now then
  redis.call("SET", KEYS[1], later, "EX", math.ceil(later - now))
end
return {1, "0", tostring(later - now)}
`)

// answer is what gcra returns.
type answer struct {
	taken      bool
	wait, full time.Duration // until there are enough tokens, and until the bucket is full
}

// runGCRA takes cost tokens from the bucket of key.
func runGCRA(
	ctx context.Context, client redis.Scripter, key string, l ratelimit.Limit, cost int,
) (a answer, err error) {
	values, err := gcra.Run(ctx, client, []string{"rate:" + key},
		period(l).Seconds(), l.Requests, l.Capacity(), cost).Slice()
	if err != nil {
		return a, err
	}
	if len(values) != 3 {
		return a, fmt.Errorf("redislimit: the script returned %d values", len(values))
	}
	a.taken = values[0] == int64(1)
	if a.wait, err = seconds(values[1]); err != nil {
		return a, err
	}
	a.full, err = seconds(values[2])
	return a, err
}

// seconds returns the duration of a text that is a number of seconds.
func seconds(value any) (time.Duration, error) {
	text, _ := value.(string)
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("redislimit: the script returned %v for a number of seconds", value)
	}
	return time.Duration(f * float64(time.Second)), nil
}
