package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/ratelimit/redislimit"
)

// Two processes share the limits of a plan. If Redis is unavailable, each process limits by itself,
// and the decision has the error.
func Example() {
	addr, stop := startForExample()
	defer stop()
	ctx := context.Background()
	plans, err := ratelimit.NewPlans(
		ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{"free": {Tenant: ratelimit.PerHour(3)}}},
	)
	orPanic(err)
	process := func() *ratelimit.Limiter {
		client := redis.NewClient(&redis.Options{Network: "unix", Addr: addr, ContextTimeoutEnabled: true})
		store, err := redislimit.New(
			client,
			redislimit.Config{Secret: []byte("the same everywhere"), Timeout: 5 * time.Second},
		)
		orPanic(err)
		limiter, err := ratelimit.New(ratelimit.Config{Limits: plans, Store: store})
		orPanic(err)
		return limiter
	}
	a, b := process(), process()
	school := &tenancy.Tenant{ID: 1, Slug: "schoola", Plan: "free"}

	for range 2 {
		fmt.Println(
			a.Decide(ctx, ratelimit.Query{Tenant: school}).Verdict,
			b.Decide(ctx, ratelimit.Query{Tenant: school}).Verdict,
		)
	}
	stop()
	d := b.Decide(ctx, ratelimit.Query{Tenant: school})
	fmt.Println(d.Verdict, errors.Is(d.Err, redislimit.ErrUnavailable))

	// Output:
	// allowed allowed
	// allowed limited
	// allowed true
}

// startForExample starts a Redis, which a program already has. stop can be called again.
func startForExample() (socket string, stop func()) {
	dir, err := os.MkdirTemp("", "pgtenant-redis-*")
	orPanic(err)
	socket = filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	orPanic(cmd.Start())
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer client.Close()
	deadline := time.Now().Add(time.Minute)
	for ; client.Ping(context.Background()).Err() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			panic("Redis does not answer")
		}
	}
	return socket, func() {
		_ = cmd.Process.Kill() // an error means that it has ended
		_ = cmd.Wait()
		orPanic(os.RemoveAll(dir))
	}
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
