// Package redislimit keeps the buckets of package ratelimit in Redis, so that all processes of a platform share them.
//
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
//	store, err := redislimit.New(client, redislimit.Config{Secret: secret})
//	limiter, err := ratelimit.New(ratelimit.Config{Limits: plans, Store: store})
//
// # Decisions
//
// The algorithm is GCRA (generic cell rate algorithm) in a script of github.com/go-redis/redis_rate, which takes one
// round trip and is atomic, by the clock of the Redis server: that of the processes does not matter. The caller's bucket comes first, and
// the tenant's is asked only if that has enough, so that a caller who floods takes nothing from the others of his tenant.
// Where the tenant's refuses then, the caller has paid: there is no transaction over both, which may be on two nodes of a cluster.
//
// A bucket is found by its limit as well, so that a changed limit holds at once. It begins with a full bucket.
//
// # Keys
//
// Keys are rate:<namespace>:<tenant's ID>:t:<limit>, and for callers :c:<hash>: with a hash under [Config].Secret. No name, no
// API key and no address is in Redis, and none can be guessed from it by who does not have the secret. Keys expire when their
// buckets are full.
//
// # When Redis is away
//
// A request waits [Config].Timeout for its decision at most, however slow Redis is. After three failures in a row nobody asks
// Redis for [Config].Pause; then one request tries. What is decided meanwhile is a choice, see [Away]: buckets of each
// process by default. Errors of Redis (NOAUTH, OOM, READONLY, LOADING) count as away. Every such decision says why, as
// [AwayError] in ratelimit.Decision.Err, and is counted in ratelimit.Stats.Degraded or Undecided.
package redislimit
