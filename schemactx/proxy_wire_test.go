package schemactx_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/pgtest"
)

func TestProxyCountsWhatPgxDocuments(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	proxy := newProxy(t, pg.URL, wireDelay)
	pool := openVia(t, proxy, pg.URL, 1)
	check(t, pool.Ping(t.Context()))
	exec := func(args ...any) traffic {
		t.Helper()
		got, err := proxy.during(func() error {
			_, err := pool.Exec(t.Context(), "select $1::int", args...)
			return err
		})
		check(t, err)
		return got
	}
	if got := exec(pgx.QueryExecModeSimpleProtocol, 1); got.trips != 1 || got.client['Q'] != 1 || got.client['P'] != 0 {
		t.Errorf("a simple query: %s", got)
	}
	if got := exec(1); got.trips != 2 || got.client['P'] != 1 || got.client['B'] != 1 || got.client['S'] != 2 {
		t.Errorf("a cold prepared statement: %s", got)
	}
	if got := exec(2); got.trips != 1 || got.client['P'] != 0 || got.server['Z'] != 1 {
		t.Errorf("a warm prepared statement: %s", got)
	}
	got, err := proxy.during(func() error {
		batch := &pgx.Batch{}
		for i := range 100 {
			batch.Queue("select $1::int", i)
		}
		return pool.SendBatch(t.Context(), batch).Close()
	})
	check(t, err)
	if got.trips != 1 || got.client['B'] != 100 {
		t.Errorf("a warm batch: %s", got)
	}
}

func TestProxyDelaysEachWay(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	pg := pgtest.New(t)
	pool := openVia(t, newProxy(t, pg.URL, delay), pg.URL, 1)
	check(t, pool.Ping(t.Context()))
	start := time.Now()
	check(t, pool.Ping(t.Context()))
	if took := time.Since(start); took < 2*delay {
		t.Errorf("a round trip took %s, want at least %s", took, 2*delay)
	}
}

// A proxy that slept for each chunk would need the delay times the number of chunks.
func TestProxyDelaysWithoutLimitingThroughput(t *testing.T) {
	t.Parallel()
	const (
		delay = 250 * time.Millisecond // which is half a minute for all chunks, and leaves a busy machine its time
		size  = 8 << 20
	)
	pg := pgtest.New(t)
	pool := openVia(t, newProxy(t, pg.URL, delay), pg.URL, 1)
	check(t, pool.Ping(t.Context()))
	start := time.Now()
	rows, err := pool.Query(t.Context(), "select repeat('x', 1024) from generate_series(1, $1)", size/1024)
	check(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	took := time.Since(start)
	if oneByOne := size / (1 << 16) * delay; len(got) != size/1024 || took > oneByOne/2 {
		t.Errorf("%d rows in %s; chunks of 64 KiB one after the other would take %s", len(got), took, oneByOne)
	}
}

func TestProxyEndsConnectionsThatOneSideLeaves(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	pool := openVia(t, newProxy(t, pg.URL, 0), pg.URL, 1)
	if _, err := pool.Exec(t.Context(), "select pg_terminate_backend(pg_backend_pid())"); err == nil {
		t.Error("the server has left and the client did not notice")
	}
	check(t, pool.Ping(t.Context())) // on a new connection
}
