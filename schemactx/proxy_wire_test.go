package schemactx_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
)

func TestProxyCountsWhatPgxDocuments(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	proxy := newProxy(t, pg.URL, wireDelay)
	pool := openVia(t, proxy, pg.URL, 1)
	require.NoError(t, pool.Ping(t.Context()))
	exec := func(args ...any) traffic {
		t.Helper()
		got, err := proxy.during(func() error {
			_, err := pool.Exec(t.Context(), "select $1::int", args...)
			return err
		})
		require.NoError(t, err)
		return got
	}
	got := exec(pgx.QueryExecModeSimpleProtocol, 1)
	assert.Equal(t, 1, got.trips, "a simple query: %s", got)
	assert.Equal(t, 1, got.client['Q'], "a simple query: %s", got)
	assert.Equal(t, 0, got.client['P'], "a simple query: %s", got)
	got = exec(1)
	assert.Equal(t, 2, got.trips, "a cold prepared statement: %s", got)
	assert.Equal(t, 1, got.client['P'], "a cold prepared statement: %s", got)
	assert.Equal(t, 1, got.client['B'], "a cold prepared statement: %s", got)
	assert.Equal(t, 2, got.client['S'], "a cold prepared statement: %s", got)
	got = exec(2)
	assert.Equal(t, 1, got.trips, "a warm prepared statement: %s", got)
	assert.Equal(t, 0, got.client['P'], "a warm prepared statement: %s", got)
	assert.Equal(t, 1, got.server['Z'], "a warm prepared statement: %s", got)
	got, err := proxy.during(func() error {
		batch := &pgx.Batch{}
		for i := range 100 {
			batch.Queue("select $1::int", i)
		}
		return pool.SendBatch(t.Context(), batch).Close()
	})
	require.NoError(t, err)
	assert.Equal(t, 1, got.trips, "a warm batch: %s", got)
	assert.Equal(t, 100, got.client['B'], "a warm batch: %s", got)
}

func TestProxyDelaysEachWay(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	pg := pgtest.New(t)
	pool := openVia(t, newProxy(t, pg.URL, delay), pg.URL, 1)
	require.NoError(t, pool.Ping(t.Context()))
	start := time.Now()
	require.NoError(t, pool.Ping(t.Context()))
	took := time.Since(start)
	assert.GreaterOrEqual(t, took, 2*delay, "a round trip took %s, want at least %s", took, 2*delay)
}

// A proxy that slept for each chunk would need the delay times the number of chunks.
func TestProxyDelaysWithoutLimitingThroughput(t *testing.T) {
	t.Parallel()
	const (
		delay = 250 * time.Millisecond // half a minute for all chunks, so a busy machine is fast enough
		size  = 8 << 20
	)
	pg := pgtest.New(t)
	pool := openVia(t, newProxy(t, pg.URL, delay), pg.URL, 1)
	require.NoError(t, pool.Ping(t.Context()))
	start := time.Now()
	rows, err := pool.Query(t.Context(), "select repeat('x', 1024) from generate_series(1, $1)", size/1024)
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	took := time.Since(start)
	oneByOne := size / (1 << 16) * delay
	assert.Len(t, got, size/1024,
		"%d rows in %s; chunks of 64 KiB one after the other would take %s", len(got), took, oneByOne)
	assert.LessOrEqual(t, took, oneByOne/2,
		"%d rows in %s; chunks of 64 KiB one after the other would take %s", len(got), took, oneByOne)
}

func TestProxyClosesConnectionsThatOneSideCloses(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	pool := openVia(t, newProxy(t, pg.URL, 0), pg.URL, 1)
	_, err := pool.Exec(t.Context(), "select pg_terminate_backend(pg_backend_pid())")
	assert.Error(t, err, "the server has left and the client did not notice")
	require.NoError(t, pool.Ping(t.Context())) // on a new connection
}
