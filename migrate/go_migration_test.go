package migrate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

func TestGoMigrationsRunAmongTheOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := texts(
		"app",
		map[string]string{
			"00001_a.sql": both["00001_a.sql"],
			"00003_c.sql": "-- +goose Up\ninsert into a select id + 1 from a;\n-- +goose Down\n",
		},
	)
	var schemas []string
	src.Go = []migrate.GoMigration{{
		Version: 2, Name: "fill",
		Up: func(ctx context.Context, tx pgx.Tx) error {
			schema, _ := schemactx.FromContext(ctx)
			schemas = append(schemas, schema)
			_, err := tx.Exec(ctx, "insert into a values ($1)", len(schemas))
			return err
		},
		Down: func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "delete from a")
			return err
		},
	}}
	r := f.tenant(t, src)
	for i, schema := range []string{"tenant_1", "tenant_2"} {
		res, err := r.Up(t.Context(), schema)
		require.NoError(t, err)
		expectVersions(t, res.Applied, 1, 2, 3)
		var rows, transactions int
		f.Scan(t, "select sum(id) from "+schema+".a", &rows)
		f.Scan(t, "select count(distinct xmin::text) from "+schema+".goose_db_version", &transactions)
		assert.Equal(t, 2*(i+1)+1, rows, "%s: sum %d, %d transactions", schema, rows, transactions)
		assert.Equal(t, 3, transactions, "%s: sum %d", schema, rows)
	}
	assert.Equal(t, []string{"tenant_1", "tenant_2"}, schemas)
	_, err := r.DownTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
	var rows int
	f.Scan(t, "select count(*) from tenant_1.a", &rows)
	assert.Equal(t, 0, rows, "%d rows are left", rows)
	for _, m := range r.Migrations() {
		assert.Equal(t, m.Checksum == "", m.Kind == migrate.KindGo, "described as %+v", m)
		assert.Equal(t, migrate.TenantSet, m.Set, "described as %+v", m)
		assert.True(t, m.Transaction, "described as %+v", m)
	}
}

func TestGoMigrationThatFailsIsUndone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	broken := errors.New("broken")
	for name, up := range map[string]func(ctx context.Context, tx pgx.Tx) error{
		"error":    func(context.Context, pgx.Tx) error { return broken },
		"rollback": func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) },
		"commit":   func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) },
		"swallowed": func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, "select 1/0")
			return nil
		},
	} {
		src := texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"]})
		src.Go = []migrate.GoMigration{{Version: 2, Name: name, Up: up}}
		res, err := f.tenant(t, src).Up(t.Context(), "tenant_1")
		var failure *migrate.Error
		if assert.ErrorAs(t, err, &failure, name) &&
			assert.Equal(t, int64(2), failure.Version, name) &&
			assert.Equal(t, 0, failure.Statement, name) {
			assert.Equal(t, "00002_"+name+".go", failure.File, name)
		}
		if name == "error" {
			assert.ErrorIs(t, err, broken)
		} else if name != "swallowed" {
			assert.ErrorIs(t, err, migrate.ErrTransactionEnded)
		}
		expectVersions(t, res.Applied, 1)
		got := f.tables(t, "tenant_1")
		assert.Equal(t, "a", got, "%s: tables %q are left", name, got)
		f.Exec(t, "drop table tenant_1.a, tenant_1.goose_db_version")
	}
}

func TestGoMigrationThatCommitsByHandIsFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := migrate.Source{
		Name: "app",
		Go: []migrate.GoMigration{{Version: 1, Name: "x", Up: func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "commit")
			if err == nil {
				_, err = tx.Exec(ctx, "begin")
			}
			return err
		}}},
	}
	assert.ErrorIs(t, f.tenant(t, src).Migrate(t.Context(), "tenant_1"), migrate.ErrTransactionEnded)
	var versions int
	f.Scan(t, "select count(*) from tenant_1.goose_db_version where version_id > 0", &versions)
	assert.Equal(t, 0, versions, "it was written down")
}

func TestGoMigrationWithoutATransaction(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"], "00003_c.sql": both["00003_c.sql"]})
	src.Go = []migrate.GoMigration{{
		Version: 2, Name: "index",
		UpNoTx: func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "create index concurrently a_id on a (id)")
			return err
		},
		DownNoTx: func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "drop index concurrently a_id")
			return err
		},
	}}
	r := f.tenant(t, src)
	res, err := r.Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, res.Applied, 1, 2, 3)
	res, err = r.DownTo(t.Context(), "tenant_1", 1)
	require.NoError(t, err)
	expectVersions(t, res.Undone, 3, 2)
	var there bool
	f.Scan(t, "select to_regclass('tenant_1.a_id') is not null", &there)
	assert.False(t, there, "the index is left")

	src.Go[0].UpNoTx = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "begin")
		return err
	}
	var failure *migrate.Error
	err = f.tenant(t, src).Migrate(t.Context(), "tenant_2")
	assert.ErrorAs(t, err, &failure, "a transaction that was left open")
}
