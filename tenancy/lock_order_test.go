package tenancy_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// lockOrder is a tracer that looks at the locks that sessions have when they wait for another.
type lockOrder struct {
	rank func(pid uint32) []string // the keys that a session has
	mu   sync.Mutex
	seen []string // "waits for b with a"
}

func (o *lockOrder) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasSuffix(data.SQL, "-- waits") {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, held := range o.rank(conn.PgConn().PID()) {
			o.seen = append(o.seen, fmt.Sprintf("%s < %v", held, data.Args[0]))
		}
		o.seen = append(o.seen, fmt.Sprintf("waits for %v", data.Args[0]))
	}
	return ctx
}

func (o *lockOrder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// kinds are the locks in the order of LOCKS.md.
var kinds = map[string]int{"stock": 1, "side": 2, "tenant": 3}

// before reports whether a lock may be waited for by who has another.
func before(held, waited string) bool {
	var heldKind, waitedKind string
	var heldID, waitedID int
	_, _ = fmt.Sscan(held, &heldKind, &heldID)
	_, _ = fmt.Sscan(waited, &waitedKind, &waitedID)
	if kinds[heldKind] != kinds[waitedKind] {
		return kinds[heldKind] < kinds[waitedKind]
	}
	return heldID < waitedID
}

func TestLocksAreTakenInOrder(t *testing.T) {
	t.Parallel()
	f := setup(t)
	order := &lockOrder{rank: func(pid uint32) (keys []string) {
		rows, err := f.pg.Pool.Query(context.Background(), "select key from public.registry_locks where pid = $1", int32(pid))
		require.NoError(t, err)
		keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return keys
	}}
	cfg, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Owner(), "o"))
	require.NoError(t, err)
	cfg.ConnConfig.Tracer = order
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	m, err := tenancy.New(pool, tenancy.Config{
		Migrator: notesRunner(t, pool), Roles: f.roles, Stock: tenancy.StockConfig{Size: 1}, Domains: acceptAllDomains,
		Drop: tenancy.DropConfig{Enabled: true}, Seed: func(context.Context, *tenancy.Tenant) error { return nil },
	})
	require.NoError(t, err)
	ctx := t.Context()
	for _, slug := range []string{"a", "b"} {
		_, err = m.Create(ctx, createParams(slug))
		require.NoError(t, err)
	}
	refill(t, m)
	// as an earlier release has left it
	_, err = f.owner.Exec(ctx, "update public.tenants set stock_version = '' where status = 'stocked'")
	require.NoError(t, err)
	refill(t, m)
	_, err = m.AssignStocked(ctx, createParams("c"))
	require.NoError(t, err)
	for _, from := range []string{"a", "b"} { // once up, once down
		_, err = m.AddDomain(ctx, from, "moved.example.com")
		require.NoError(t, err)
		to := map[string]string{"a": "b", "b": "a"}[from]
		_, err = m.MoveDomain(ctx, tenancy.MoveDomainParams{Host: "moved.example.com", From: from, To: to})
		require.NoError(t, err)
	}
	s, err := m.StageReplacement(ctx, "a")
	require.NoError(t, err)
	_, err = m.Drop(ctx, request(t, m, "a"))
	require.ErrorIs(t, err, tenancy.ErrStatus)
	_, err = s.Replace(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close(ctx))
	retained, err := m.RetainedSchema(ctx, "a")
	require.NoError(t, err)
	_, err = m.RevertReplacement(ctx, "a", retained.Schema)
	require.NoError(t, err)
	_, err = m.SweepStagedSchemas(ctx)
	require.NoError(t, err)
	_, err = m.Rename(ctx, "a", tenancy.RenameParams{Schema: "renamed"})
	require.NoError(t, err)
	_, err = m.Drop(ctx, request(t, m, "a"))
	require.NoError(t, err)

	for _, seen := range order.seen {
		if held, waited, found := strings.Cut(seen, " < "); found {
			require.True(t, before(held, waited), seen)
		}
	}
	require.Contains(t, order.seen, "tenant 1 < tenant 2")
	require.Contains(t, order.seen, "stock < tenant 3")
	for _, seen := range order.seen {
		require.NotContains(t, seen, "waits for side")
		require.NotContains(t, seen, "waits for stock")
	}
	f.expectInvariants(t)
}
