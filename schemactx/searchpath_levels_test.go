package schemactx_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

var extraPath = []string{"extensions"}

// atEachLevel runs fn with DBs of all levels, with lanes and through PgBouncer, all with the
// extensions on the path. Those that need a hardened database are last.
func atEachLevel(t *testing.T, f *fixture, fn func(t *testing.T, db *schemactx.DB)) {
	t.Helper()
	pathOnly, err := schemactx.New(openPool(t, f.pg.URLAs(f.roles.Owner(), ownerPassword), 1),
		schemactx.Config{Level: schemactx.PathOnly, ExtraSearchPath: extraPath})
	require.NoError(t, err)
	lanes := f.open(t, schemactx.Config{ExtraSearchPath: extraPath, Lanes: 2}, 2)
	t.Cleanup(lanes.Close)
	roles := f.open(t, schemactx.Config{ExtraSearchPath: extraPath}, 1)
	logins := loginDB(t, f, schemactx.Config{ExtraSearchPath: extraPath})
	t.Run("PathOnly", func(t *testing.T) { fn(t, pathOnly) })
	t.Run("Roles", func(t *testing.T) { fn(t, roles) })
	t.Run("Lanes", func(t *testing.T) { fn(t, lanes) })
	t.Run("Logins", func(t *testing.T) { fn(t, logins) })
	t.Run("PgBouncer", func(t *testing.T) {
		pooled, err := schemactx.New(
			openPool(t, poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1), 1),
			schemactx.Config{Roles: f.roles, ExtraSearchPath: extraPath})
		require.NoError(t, err)
		fn(t, pooled)
	})
	_, err = admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	t.Run("Roles hardened", func(t *testing.T) { fn(t, roles) })
	t.Run("Logins hardened", func(t *testing.T) { fn(t, logins) })
}

func TestOperatorsOfExtensionsAreFoundAtEachLevel(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.extend(t)
	atEachLevel(t, f, func(t *testing.T, db *schemactx.DB) {
		for _, schema := range []string{"tenant_a", "tenant_b", "tenant_a"} {
			ctx := in(t, schema)
			findEach(t, ctx, db)
			require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
				findEach(t, ctx, tx)
				return nil
			}))
			batch := &pgx.Batch{}
			for _, sql := range findsKinds {
				batch.Queue(sql).QueryRow(func(row pgx.Row) error {
					var id int
					return row.Scan(&id)
				})
			}
			assert.NoError(t, db.SendBatch(ctx, batch).Close())
			copyKind(t, ctx, db)
		}
	})
}

func findEach(t *testing.T, ctx context.Context, q querier) {
	t.Helper()
	for kind, sql := range findsKinds {
		var id int
		if assert.NoError(t, q.QueryRow(ctx, sql).Scan(&id), kind) {
			assert.Equal(t, 1, id, kind)
		}
	}
}

// copyKind tests that a copy of a row fails if its email exists in another case, or if its room is
// taken.
func copyKind(t *testing.T, ctx context.Context, db *schemactx.DB) {
	t.Helper()
	columns := []string{"id", "email", "room", "during"}
	during := pgtype.Range[pgtype.Int4]{
		Lower: pgtype.Int4{Int32: 4, Valid: true}, Upper: pgtype.Int4{Int32: 9, Valid: true},
		LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true,
	}
	for state, row := range map[string][]any{
		"23505": {2, "ADA@EXAMPLE.COM", 2, during},
		"23P01": {3, "grace@example.com", 1, during},
	} {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"kinds"}, columns, pgx.CopyFromRows([][]any{row}))
		expectState(t, err, state)
	}
}

// Without ExtraSearchPath the same queries find nothing or fail.
func TestOperatorsOfExtensionsAreNotFoundWithoutThePath(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.extend(t)
	var id int
	err := f.db.QueryRow(in(t, "tenant_a"), findsKinds["citext"]).Scan(&id)
	assert.ErrorIs(t, err, pgx.ErrNoRows)
	for kind, state := range map[string]string{
		"hstore":    "42883",
		"pg_trgm":   "42883",
		"operator":  "42883",
		"reference": "42P01",
	} {
		expectState(t, f.db.QueryRow(in(t, "tenant_a"), findsKinds[kind]).Scan(&id), state)
	}
	expectState(
		t,
		f.db.QueryRow(
			in(t, "tenant_a"), "select 1 from kinds where email operator(extensions.=) 'x'::extensions.citext and name % 'x'",
		).
			Scan(&id),
		"42883",
	)
	require.NoError(t, f.db.QueryRow(in(t, "tenant_a"), findsKinds["view"]).Scan(&id)) // a view keeps its operators
}

// Public scopes also have the extra schemas, after public.
func TestPublicScopeFindsTheExtraSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.extend(t)
	db := f.open(t, schemactx.Config{ExtraSearchPath: []string{"public", "extensions"}}, 1)
	var same bool
	require.NoError(t, db.QueryRow(schemactx.NewPublicContext(t.Context()), "select 'a'::citext = 'A'").Scan(&same))
	assert.True(t, same)
}
