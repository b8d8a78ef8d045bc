package tenancy_test

import (
	"encoding/binary"
	"io"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// roundTrips counts the ReadyForQuery messages of the server on all connections of a pool. Each one
// ends a round trip: the client has sent messages and waits for the complete answer.
type roundTrips struct{ n atomic.Int64 }

func (r *roundTrips) countOn(cfg *pgxpool.Config) {
	cfg.ConnConfig.TLSConfig, cfg.ConnConfig.Fallbacks = nil, nil
	cfg.ConnConfig.BuildFrontend = func(from io.Reader, to io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(&readyReader{from: from, count: &r.n}, to)
	}
}

// readyReader parses the messages of one connection.
type readyReader struct {
	from   io.Reader
	count  *atomic.Int64
	header []byte
	body   int // bytes of the current message that are still to come
}

func (r *readyReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	for data := p[:n]; len(data) > 0; {
		if r.body > 0 {
			skip := min(r.body, len(data))
			r.body -= skip
			data = data[skip:]
			continue
		}
		r.header = append(r.header, data[0])
		data = data[1:]
		if len(r.header) < 5 {
			continue
		}
		if r.header[0] == 'Z' {
			r.count.Add(1)
		}
		r.body = int(binary.BigEndian.Uint32(r.header[1:])) - 4 // the length includes itself
		r.header = r.header[:0]
	}
	return n, err
}

// The test counts the round trips of Create and AssignStocked on connections that have prepared
// their statements.
func TestCreateAndAssignStockedRoundTrips(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Owner(), "o"))
	require.NoError(t, err)
	counter := &roundTrips{}
	counter.countOn(cfg)
	cfg.MaxConns, cfg.MinConns = 2, 2
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	m, err := tenancy.New(pool, tenancy.Config{
		Migrator: notesRunner(t, pool), Roles: f.roles, Stock: tenancy.StockConfig{Size: 4, StockOnly: true},
	})
	require.NoError(t, err)
	refill(t, m)
	trips := func(op func() error) int64 {
		before := counter.n.Load()
		require.NoError(t, op())
		return counter.n.Load() - before
	}
	create := func(slug string) func() error {
		return func() error {
			_, err := m.Create(t.Context(), createParams(slug))
			return err
		}
	}
	assign := func(slug string) func() error {
		return func() error {
			_, err := m.AssignStocked(t.Context(), createParams(slug))
			return err
		}
	}
	for _, slug := range []string{"first", "second", "third"} {
		require.NoError(t, create(slug)())
		require.NoError(t, assign(slug+"-stocked")())
	}
	// The row needs 1, role and schema 4, migrations 2, activation 1, unlock 1.
	n := trips(create("a"))
	assert.Equal(t, int64(9), n, "round trips of Create")
	n = trips(assign("b"))
	assert.Equal(t, int64(1), n, "round trips of AssignStocked")
}
