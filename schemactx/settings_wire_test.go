package schemactx_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/poolertest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// One statement sets any number of settings with any names, so a connection prepares it once.
func TestSettingsOfManyNamesPrepareOneStatement(t *testing.T) {
	t.Parallel()
	f := setup(t)
	count := func() (n int) {
		t.Helper()
		require.NoError(t, f.db.QueryRow(in(t, "tenant_a"), "select count(*) from pg_prepared_statements").Scan(&n))
		return n
	}
	use := func(settings map[string]string) {
		t.Helper()
		expectNote(t, schemactx.WithSettings(in(t, "tenant_a"), settings), f.db, "tenant_a")
	}
	use(map[string]string{"app.a": "1"})
	count()
	before := count()
	all := map[string]string{}
	for _, name := range strings.Split("bcdefghijklmnopqrstuvwxyz", "") {
		all["app."+name] = name
		use(all)
		use(map[string]string{"app." + name: "1"})
	}
	assert.Equal(t, before, count())
}

func TestSettingsWorkBehindThePooler(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ledger(t, f)
	poolertest.Binary(t)
	cfg, err := pgxpool.ParseConfig(poolertest.Start(t, f.pg.URLAs(f.roles.Runtime(), runtimePassword), 1))
	require.NoError(t, err)
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.MaxConns = 2
	useSettings(t, f.openWith(t, cfg, schemactx.Config{}))
}

func TestSettingsTravelWithTheScope(t *testing.T) {
	t.Parallel()
	w := setupWired(t)
	plain, ann := in(t, "tenant_a"), asUser(t, "tenant_a", "ann")
	expectNote(t, plain, w.db, "tenant_a")
	trips := func(what string, want int, fn func() error) {
		t.Helper()
		got, err := w.proxy.during(fn)
		require.NoError(t, err, what)
		assert.Equal(t, want, got.trips, "%s: %s", what, got)
	}
	read := func(q querier, ctx context.Context) error {
		_, _, err := note(ctx, q)
		return err
	}
	trips("a statement", 1, func() error { return read(w.db, ann) })
	trips("one without settings behind it", 1, func() error { return read(w.db, plain) })
	trips("a batch", 1, func() error {
		batch := &pgx.Batch{}
		batch.Queue("select body, pg_backend_pid() from notes where id = $1", 1)
		return w.db.SendBatch(ann, batch).Close()
	})
	trips("a transaction of two statements", 3, func() error {
		return w.db.InTx(ann, func(tx pgx.Tx) error {
			require.NoError(t, read(tx, ann))
			return read(tx, ann)
		})
	})
}

// A tenant's own statement can overwrite a setting of the program. Only Harden prevents that.
func TestATenantOverwritesASettingUnlessItIsHardened(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asUser(t, "tenant_a", "ann")
	overwrite := func(db *schemactx.DB, local string) (user string, err error) {
		err = db.InTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "select set_config('app.user_id', 'root', "+local+")"); err != nil {
				return err
			}
			return tx.QueryRow(ctx, "select current_setting('app.user_id')").Scan(&user)
		})
		return user, err
	}
	for _, local := range []string{"true", "false"} {
		for name, db := range settingsDBs(t, f) {
			user, err := overwrite(db, local)
			require.NoError(t, err, name)
			assert.Equal(t, "root", user, name)
			require.NoError(t, db.QueryRow(ctx, "select current_setting('app.user_id')").Scan(&user))
			assert.Equal(t, "ann", user, "%s: the next unit of work has its own", name)
			expectNoSettings(t, db, "tenant_b")
		}
	}
	_, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	for name, db := range settingsDBs(t, f) {
		if name == "PathOnly" {
			continue // its login is the owner, whom Harden does not restrict
		}
		_, err := overwrite(db, "true")
		expectState(t, err, "42501")
		var user string
		require.NoError(t, db.QueryRow(ctx, "select current_setting('app.user_id')").Scan(&user), name)
		assert.Equal(t, "ann", user, name)
	}
}
