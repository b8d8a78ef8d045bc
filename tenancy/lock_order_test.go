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

// lockOrder is a tracer that records the locks of a session when the session waits for another
// lock.
type lockOrder struct {
	heldBy func(pid uint32) []string // the keys of the locks of a session
	mu     sync.Mutex
	waits  []string // "a < b": waits for b and holds a
}

func (o *lockOrder) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasSuffix(data.SQL, "-- waits") {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, held := range o.heldBy(conn.PgConn().PID()) {
			o.waits = append(o.waits, fmt.Sprintf("%s < %v", held, data.Args[0]))
		}
		o.waits = append(o.waits, fmt.Sprintf("waits for %v", data.Args[0]))
	}
	return ctx
}

func (o *lockOrder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// kinds are the locks in the order of LOCKS.md.
var kinds = map[string]int{"stock": 1, "side": 2, "tenant": 3}

// before reports whether a session that holds a lock may wait for another.
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
	order := &lockOrder{heldBy: func(pid uint32) (keys []string) {
		rows, err := f.pg.Pool.Query(context.Background(), "select key from public.registry_locks where pid = $1", int32(pid))
		require.NoError(t, err)
		keys, err = pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return keys
	}}
	pool := f.ownerPool(t, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = order })
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
	// an earlier release leaves unfinished stock like this
	_, err = f.owner.Exec(ctx, "update public.tenants set stock_version = '' where status = 'stocked'")
	require.NoError(t, err)
	refill(t, m)
	_, err = m.AssignStocked(ctx, createParams("c"))
	require.NoError(t, err)
	for _, from := range []string{"a", "b"} { // in both orders of the ids
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

	for _, wait := range order.waits {
		if held, waited, found := strings.Cut(wait, " < "); found {
			require.True(t, before(held, waited), wait)
		}
	}
	require.Contains(t, order.waits, "tenant 1 < tenant 2")
	require.Contains(t, order.waits, "stock < tenant 3")
	for _, wait := range order.waits {
		require.NotContains(t, wait, "waits for side")
		require.NotContains(t, wait, "waits for stock")
	}
	f.expectInvariants(t)
}
