package drift_test

import (
	"context"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/migratetest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
)

func TestDriftOfGrantsExceptThoseOfTheTenant(t *testing.T) {
	t.Parallel()
	f, owner, roles := migratetest.NewProvisioned(t)
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{migratetest.Source("app", zoo)}})
	require.NoError(t, err)
	schemas := []string{"tenant_1", "tenant_2", "tenant_3"}
	_, err = r.UpAll(t.Context(), migrate.Schemas(schemas...), migrate.UpAllOptions{})
	require.NoError(t, err)
	opts := drift.Options{ReadOptions: drift.ReadOptions{Roles: roles}}
	before := f.Inventory(t)
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, schemas...))
	after := f.Inventory(t)
	assert.Equal(t, before, after, "the reference left something:\n%s", after)

	f.Exec(t, "grant select on tenant_1.secrets to "+roles.Tenant("tenant_2"))
	f.Exec(t, "revoke insert on tenant_2.secrets from "+roles.Tenant("tenant_2"))
	f.Exec(
		t,
		"grant usage on schema tenant_3 to public; grant select on tenant_3.goose_db_version to "+roles.Tenant("tenant_3"),
	)
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, schemas...),
		"tenant_1: table secrets: grants to "+roles.Tenant("tenant_2")+" are SELECT, expected none",
		"tenant_2: table secrets: grants to {tenant} are DELETE,SELECT,UPDATE, expected DELETE,INSERT,SELECT,UPDATE",
		"tenant_3: schema: grants to PUBLIC are USAGE, expected none",
		"tenant_3: table goose_db_version: grants to {tenant} are SELECT, expected none",
	)
}

var driftConcurrent = map[string]string{
	"00001_a.sql": "create table a (id int);",
	"00002_b.sql": "-- +goose NO TRANSACTION\ncreate index concurrently a_id on a (id);",
	"00003_c.sql": "create table c (id int references a2 (id));",
}

func TestDriftReferenceOfMigrationsWithoutTransaction(t *testing.T) {
	t.Parallel()
	f, owner, roles := migratetest.NewProvisioned(t)
	files := maps.Clone(driftConcurrent)
	delete(files, "00003_c.sql")
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{migratetest.Source("app", files)}})
	require.NoError(t, err)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	opts := drift.Options{ReadOptions: drift.ReadOptions{Roles: roles}}
	before := f.Inventory(t)

	// A crash has left two scratch schemas, and a session still uses one of them. A third schema has
	// the prefix of scratch schemas but not their comment.
	for _, sql := range []string{
		"create schema pgtenant_scratch_left", "comment on schema pgtenant_scratch_left is 'pgtenant: builds a reference, " +
			"may be dropped'",
		"create table pgtenant_scratch_left.x ()", "create role " + roles.Tenant("pgtenant_scratch_left"),
		"create schema pgtenant_scratch_used", "comment on schema pgtenant_scratch_used is 'pgtenant: builds a reference, " +
			"may be dropped'",
		"create schema pgtenant_scratch_mine",
	} {
		_, err := owner.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	user, err := f.PG.Pool.Acquire(t.Context())
	require.NoError(t, err)
	_, err = user.Exec(
		t.Context(),
		"select pg_advisory_lock(hashtextextended('pgtenant.scratch.pgtenant_scratch_used', 0))",
	)
	require.NoError(t, err)
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, "tenant_1"))
	var left string
	f.Scan(t, "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname like 'pgtenant%'", &left)
	assert.Equal(t, "pgtenant_scratch_mine pgtenant_scratch_used", left)
	_, err = user.Exec(t.Context(), "select pg_advisory_unlock_all()")
	require.NoError(t, err)
	user.Release()
	f.Exec(t, "drop index tenant_1.a_id; create index a_id on tenant_1.a (id); drop schema pgtenant_scratch_mine")
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, "tenant_1")) // created in another way, but equal
	f.Exec(t, "update pg_index set indisvalid = false where indexrelid = 'tenant_1.a_id'::regclass")
	migratetest.ExpectLines(
		t,
		migratetest.DriftLines(t, r, opts, "tenant_1"),
		"tenant_1: table a: index a_id: index is not valid, expected not set",
	)
	after := f.Inventory(t)
	assert.Equal(t, before, after, "the reference left something:\n%s", after)
}

func TestDriftReferenceThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	f, owner, roles := migratetest.NewProvisioned(t)
	before := f.Inventory(t)
	inTx := maps.Clone(driftConcurrent)
	inTx["00002_b.sql"] = "create index a_id on a (id);"
	for name, files := range map[string]map[string]string{"in a transaction": inTx, "without": driftConcurrent} {
		r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{migratetest.Source("app", files)}})
		require.NoError(t, err)
		_, err = drift.Check(
			t.Context(),
			r,
			[]string{"tenant_1"},
			drift.Options{ReadOptions: drift.ReadOptions{Roles: roles}},
		)
		var failure *migrate.Error
		var pgErr *pgconn.PgError
		if assert.ErrorAs(t, err, &failure, name) &&
			assert.Equal(t, int64(3), failure.Version, name) &&
			assert.ErrorAs(t, err, &pgErr, name) {
			assert.Equal(t, "42P01", pgErr.Code, name)
		}
		after := f.Inventory(t)
		assert.Equal(t, before, after, "%s: left\n%s", name, after)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = drift.Reference(cancelled, r, drift.ReadOptions{Roles: roles})
		assert.ErrorIs(t, err, context.Canceled)
	}
}

func TestDriftReferenceWithGoMigrations(t *testing.T) {
	t.Parallel()
	f, owner, roles := migratetest.NewProvisioned(t)
	opts := drift.Options{ReadOptions: drift.ReadOptions{Roles: roles}}
	before := f.Inventory(t)
	sql := "create table a (id int)"
	src := migratetest.Source("app", map[string]string{"00001_b.sql": "create table b (id int);"})
	src.Go = []migrate.GoMigration{{Version: 2, Name: "a", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	}}}
	r, err := migrate.New(owner, migrate.Config{Tenant: []migrate.Source{src}})
	require.NoError(t, err)
	require.NoError(t, r.Migrate(t.Context(), "tenant_1"))
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, "tenant_1"))
	_, err = owner.Exec(t.Context(), "drop table tenant_1.a")
	require.NoError(t, err)
	migratetest.ExpectLines(t, migratetest.DriftLines(t, r, opts, "tenant_1"), "tenant_1: table a is missing")

	sql = "commit"
	_, err = drift.Reference(t.Context(), r, opts.ReadOptions)
	assert.ErrorIs(t, err, migrate.ErrTransactionEnded)
	after := f.Inventory(t)
	assert.Equal(t, before, after, "a migration that commits left\n%s", after)
	sql = "create table a (id int)"
	_, err = drift.Reference(t.Context(), r, opts.ReadOptions)
	require.NoError(t, err)
	after = f.Inventory(t)
	assert.Equal(t, before, after, "left\n%s", after)
}
