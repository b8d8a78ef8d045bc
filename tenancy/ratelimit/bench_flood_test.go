package ratelimit_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// The effect of one tenant's flood on another tenant, through net/http on loopback,
// tenanthttp.Handler, the middleware and PostgreSQL:
//
//	go test -run '^$' -bench Flood -benchtime 10x ./tenancy/ratelimit
//
// A round measures three ways for one slice each: the quiet tenant alone, beside an unlimited
// flood, and beside a flood that is limited by its plan to 10 requests per second and to one
// connection of eight. Each round has another order, so that all ways have the same load on the
// machine.
//
// p50 and p99 are those of the quiet tenant's requests in one slice; the latency of a request is
// measured from the time at which it was due. The result is the median over the rounds, also for
// the ratios, whose two slices are of the same round. So a round that other work has disturbed
// counts as one of many; in a p99 over all requests its slowest ones would decide. BENCHMARKS.md
// has the results.

const (
	// of each slice, not measured: connections are opened, and the flood uses up its burst
	leadIn     = 200 * time.Millisecond
	slice      = 2 * time.Second      // 400 requests of the quiet tenant, so that the p99 is not the slowest
	quietEvery = 5 * time.Millisecond // between two requests of the quiet tenant
	floodConns = 32                   // the maximum number of concurrent requests of the flooding tenant
)

func BenchmarkFlood(b *testing.B) {
	p, done := newPlatform(pgtest.New(b))
	b.Cleanup(done)
	plans := plans(b, ratelimit.PlansConfig{Plans: map[string]ratelimit.Policy{
		"free": {Tenant: ratelimit.PerSecond(10)},
		"gold": {Tenant: ratelimit.PerSecond(1000)},
	}})
	open := serverOf(b, p, always(ratelimit.Policy{Tenant: ratelimit.Unlimited()}), schemactx.Limits{})
	limited := serverOf(b, p, plans, schemactx.Limits{MaxConns: 1}) // one of eight connections
	for _, rate := range []int{1000, 2000, 4000} {
		b.Run(fmt.Sprintf("flood=%d", rate), func(b *testing.B) {
			var alone, unlimited, within phase
			ways := []func(){
				func() { alone.run(b, limited, 0) },
				func() { unlimited.run(b, open, rate) },
				func() { within.run(b, limited, rate) },
			}
			for b.Loop() {
				for _, i := range rand.Perm(len(ways)) {
					ways[i]()
				}
			}
			alone.report(b, "alone")
			unlimited.report(b, "unlimited")
			within.report(b, "limited")
			b.ReportMetric(median(ratios(within.p99, alone.p99)), "limited/alone")
			b.ReportMetric(median(ratios(unlimited.p99, alone.p99)), "unlimited/alone")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func serverOf(b *testing.B, p *platform, limits ratelimit.Limits, conns schemactx.Limits) string {
	b.Helper()
	db := p.db(8, schemactx.Config{Limits: func(schema string) schemactx.Limits {
		if schema == p.flooding {
			return conns
		}
		return schemactx.Limits{}
	}})
	limit, err := ratelimit.Middleware(
		ratelimit.MiddlewareConfig{Limiter: newLimiter(b, ratelimit.Config{Limits: limits})},
	)
	require.NoError(b, err)
	s := httptest.NewServer(tenanthttp.Handler(p.hosts, tenanthttp.Routes{Tenant: limit(report(db))}))
	b.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// phase has the measurements of one way.
type phase struct {
	latencies []time.Duration // of the quiet tenant's requests in this round
	p50, p99  []float64       // of each round, in milliseconds
	served    atomic.Int64    // of the flood
	refused   atomic.Int64
	took      time.Duration
}

func (ph *phase) run(b *testing.B, addr string, rate int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), leadIn+slice)
	defer cancel()
	start := time.Now()
	var wg sync.WaitGroup
	if rate > 0 {
		for i := range floodConns {
			wg.Go(func() { ph.flood(b, ctx, addr, time.Duration(floodConns)*time.Second/time.Duration(rate), i) })
		}
	}
	ph.latencies = ph.latencies[:0]
	ph.quiet(b, ctx, addr)
	wg.Wait()
	ph.took += time.Since(start)
	slices.Sort(ph.latencies)
	at := func(q float64) float64 {
		return float64(ph.latencies[int(q*float64(len(ph.latencies)-1))]) / float64(time.Millisecond)
	}
	ph.p50, ph.p99 = append(ph.p50, at(0.5)), append(ph.p99, at(0.99))
}

// flood sends requests on one connection, one per interval, each after the answer to the previous
// one.
func (ph *phase) flood(b *testing.B, ctx context.Context, addr string, interval time.Duration, i int) {
	c := dial(b, addr, "schoola")
	defer c.conn.Close()
	for due := time.Now().Add(interval * time.Duration(i) / floodConns); ; due = due.Add(interval) {
		if late := time.Since(due); late > interval {
			due = due.Add(late) // late requests are not made up for
		}
		if !sleepUntil(ctx, due) {
			return
		}
		switch c.get(b) {
		case http.StatusOK:
			ph.served.Add(1)
		case http.StatusTooManyRequests:
			ph.refused.Add(1)
		default:
			b.Error("the flood got another answer")
		}
	}
}

// quiet sends each request when it is due, even if earlier ones are not answered yet.
func (ph *phase) quiet(b *testing.B, ctx context.Context, addr string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	free := make(chan *conn, 256) // reused connections
	measured := time.Now().Add(leadIn)
	for due := time.Now(); sleepUntil(ctx, due); due = due.Add(quietEvery) {
		wg.Go(func() {
			var c *conn
			select {
			case c = <-free:
			default:
				c = dial(b, addr, "schoolb")
			}
			assert.Equal(b, http.StatusOK, c.get(b), "the tenant with few requests")
			took := time.Since(due)
			if due.After(measured) {
				mu.Lock()
				ph.latencies = append(ph.latencies, took)
				mu.Unlock()
			}
			free <- c
		})
	}
	wg.Wait()
	close(free)
	for c := range free {
		c.conn.Close()
	}
}

// report reports the quiet tenant's p50 and p99 in milliseconds, and the flood's requests per
// second.
func (ph *phase) report(b *testing.B, name string) {
	b.Helper()
	b.ReportMetric(median(ph.p50), name+"-p50-ms")
	b.ReportMetric(median(ph.p99), name+"-p99-ms")
	if n := ph.served.Load() + ph.refused.Load(); n > 0 {
		b.ReportMetric(float64(ph.served.Load())/ph.took.Seconds(), name+"-served/s")
		b.ReportMetric(float64(ph.refused.Load())/ph.took.Seconds(), name+"-refused/s")
	}
}

func ratios(over, under []float64) []float64 {
	all := make([]float64, len(over))
	for i := range over {
		all[i] = over[i] / under[i]
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// conn is a cheap client, because it shares the processors with the server.
type conn struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

func dial(b *testing.B, addr, slug string) *conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		panic(err) // stop this goroutine, which is not that of the benchmark
	}
	return &conn{
		conn:    c,
		in:      bufio.NewReader(c),
		request: []byte("GET /report HTTP/1.1\r\nHost: " + slug + ".example.com\r\n\r\n"),
	}
}

// get reads only the status and the length of the answer, because the client is not measured.
func (c *conn) get(b *testing.B) (code int) {
	_, err := c.conn.Write(c.request)
	if !assert.NoError(b, err) {
		return 0
	}
	length := 0
	for {
		line, err := c.in.ReadSlice('\n')
		if !assert.NoError(b, err) {
			return 0
		}
		line = bytes.TrimSpace(line)
		if value, is := bytes.CutPrefix(line, []byte("Content-Length: ")); is {
			length, err = strconv.Atoi(string(value))
		} else if code == 0 {
			code, err = strconv.Atoi(string(line[len("HTTP/1.1 "):len("HTTP/1.1 200")]))
		}
		if !assert.NoError(b, err) {
			return 0
		}
		if len(line) == 0 {
			break
		}
	}
	_, err = c.in.Discard(length)
	assert.NoError(b, err)
	return code
}

func sleepUntil(ctx context.Context, due time.Time) bool {
	if d := time.Until(due); d > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	return ctx.Err() == nil
}
