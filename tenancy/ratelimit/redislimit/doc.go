// Package redislimit keeps the buckets of package ratelimit in Redis, so that all processes of a
// platform share them.
//
//	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
//	store, err := redislimit.New(client, redislimit.Config{Secret: secret})
//	limiter, err := ratelimit.New(ratelimit.Config{Limits: plans, Store: store})
//
// # Decisions
//
// The algorithm is GCRA (generic cell rate algorithm) in a Lua script. A script call is one round
// trip, is atomic, and uses the clock of the Redis server, version 5 or newer. The bucket of the
// caller is used first, and that of the tenant only if the first has enough tokens. So a flooding
// caller takes nothing from the other callers of its tenant. If the bucket of the tenant refuses
// then, the caller has still paid: there is no transaction over both buckets, which may be on two
// nodes of a cluster.
//
// The limit is part of the key of a bucket. A changed limit applies at once and starts with a full
// bucket.
//
// # Keys
//
// Keys are rate:<namespace>:<tenant ID>:t:<limit>, and for callers :c:<hash>: with an HMAC under
// [Config].Secret. Redis holds no name, no API key and no address, and none can be guessed from it
// without the secret. Keys expire when their buckets are full.
//
// # When Redis does not answer
//
// A decision waits at most [Config].Timeout. After three consecutive failures the circuit opens,
// and no request goes to Redis for [Config].Pause; then one request tries. [Fallback] selects what
// is decided meanwhile; the default are buckets of each process. Errors of Redis (NOAUTH, OOM,
// READONLY, LOADING) count as failures. Each such decision has an [UnavailableError] in
// ratelimit.Decision.Err and is counted in ratelimit.Stats.Degraded or Undecided.
package redislimit
