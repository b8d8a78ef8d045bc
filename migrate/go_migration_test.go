package migrate_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

func TestGoMigrationsRunAmongTheOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := texts("app", map[string]string{"00001_a.sql": both["00001_a.sql"], "00003_c.sql": "-- +goose Up\ninsert into a select id + 1 from a;\n-- +goose Down\n"})
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
		check(t, err)
		expectVersions(t, res.Applied, 1, 2, 3)
		var rows, transactions int
		f.scan(t, "select sum(id) from "+schema+".a", &rows)
		f.scan(t, "select count(distinct xmin::text) from "+schema+".goose_db_version", &transactions)
		if rows != 2*(i+1)+1 || transactions != 3 {
			t.Errorf("%s: sum %d, %d transactions", schema, rows, transactions)
		}
	}
	if !slices.Equal(schemas, []string{"tenant_1", "tenant_2"}) {
		t.Errorf("schemas %q", schemas)
	}
	_, err := r.DownTo(t.Context(), "tenant_1", 1)
	check(t, err)
	var rows int
	f.scan(t, "select count(*) from tenant_1.a", &rows)
	if rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
	for _, m := range r.Migrations() {
		if (m.Kind == migrate.KindGo) != (m.Checksum == "") || m.Set != migrate.TenantSet || !m.Transaction {
			t.Errorf("described as %+v", m)
		}
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
		if !errors.As(err, &failure) || failure.Version != 2 || failure.Statement != 0 || failure.File != "00002_"+name+".go" {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "error" {
			expectIs(t, err, broken)
		} else if name != "swallowed" {
			expectIs(t, err, migrate.ErrTransactionEnded)
		}
		expectVersions(t, res.Applied, 1)
		if got := f.tables(t, "tenant_1"); got != "a" {
			t.Errorf("%s: tables %q are left", name, got)
		}
		f.exec(t, "drop table tenant_1.a, tenant_1.goose_db_version")
	}
}

func TestGoMigrationThatCommitsByHandIsFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	src := migrate.Source{Name: "app", Go: []migrate.GoMigration{{Version: 1, Name: "x", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "commit")
		if err == nil {
			_, err = tx.Exec(ctx, "begin")
		}
		return err
	}}}}
	expectIs(t, f.tenant(t, src).Migrate(t.Context(), "tenant_1"), migrate.ErrTransactionEnded)
	var versions int
	f.scan(t, "select count(*) from tenant_1.goose_db_version where version_id > 0", &versions)
	if versions != 0 {
		t.Error("it was written down")
	}
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
	check(t, err)
	expectVersions(t, res.Applied, 1, 2, 3)
	res, err = r.DownTo(t.Context(), "tenant_1", 1)
	check(t, err)
	expectVersions(t, res.Undone, 3, 2)
	var there bool
	f.scan(t, "select to_regclass('tenant_1.a_id') is not null", &there)
	if there {
		t.Error("the index is left")
	}

	src.Go[0].UpNoTx = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "begin")
		return err
	}
	var failure *migrate.Error
	if err := f.tenant(t, src).Migrate(t.Context(), "tenant_2"); !errors.As(err, &failure) {
		t.Errorf("a transaction that was left open: %v", err)
	}
}
