package corpustest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func TestCasesSurviveTheLifeOfATenant(t *testing.T) {
	t.Parallel()
	for _, file := range caseFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			f := setup(t, readCase(t, file))
			f.live(t)
		})
	}
}

// step runs one step of the life of a tenant. It returns whether the step worked. A failure must be
// expected by the case, with the text that the case has, and change nothing. No step may leave
// session state on the owner's connections.
func (f *fixture) step(t *testing.T, name string, do func() error) bool {
	t.Helper()
	makes := slices.Contains([]string{"new", "create", "release"}, name) // a failure leaves a row
	before := ""
	if !makes {
		before = f.everything(t)
	}
	err := do()
	says := f.failure(name, f.major)
	if f.tenants != nil && f.failure("leave nothing", f.major) == "" {
		assert.Empty(t, f.leftOver(t), "%s: what is left on the owner's connections", name)
	}
	switch {
	case says == "":
		require.NoError(t, err, "%s", name)
		return true
	case err == nil:
		require.FailNow(t, name+" works now: remove the expectation that it fails")
	case !makes:
		assert.Equal(t, before, f.everything(t), "%s: what a failure has left", name)
	}
	assert.ErrorContains(t, err, says, "%s", name)
	return false
}

func (f *fixture) live(t *testing.T) {
	ctx := t.Context()
	worked := f.step(t, "new", func() error { return f.open(t) }) &&
		f.step(t, "create", func() error { return f.create(t, "b") }) &&
		f.step(t, "release", func() error { return f.release(t, "a") }) &&
		f.step(t, "after", func() error { return f.after(t) })
	if !worked {
		return
	}
	f.step(t, "tenant", func() error { return f.use(t) })
	f.step(t, "current", func() error { return f.current(t, "a", "b") })
	f.step(t, "read", func() error { return f.read(t, "a", "b") })

	want := f.content(t, "a")
	var archive string
	if f.step(t, "backup", func() error {
		info, err := f.backups.Backup(ctx, "a", backup.BackupOptions{})
		archive = info.Name
		return err
	}) {
		f.step(t, "verify", func() error {
			_, err := f.backups.Verify(ctx, archive, backup.RestoreOptions{})
			return err
		})
		f.step(t, "restore", func() error { return f.restoreOverItself(t, archive, want) })
		f.drop(t, "a")
		f.step(t, "restore dropped", func() error {
			if _, err := f.backups.Restore(ctx, archive, backup.RestoreOptions{}); err != nil {
				return err
			}
			assert.Equal(t, want, f.content(t, "a"), "rows after the restore of what was dropped")
			return f.read(t, "a")
		})
	}
	f.step(t, "clone", func() error {
		if _, err := f.backups.Clone(ctx, "b", backup.CloneOptions{Slug: "c", Domain: "c.example.com"}); err != nil {
			return err
		}
		assert.Equal(t, f.content(t, "b"), f.content(t, "c"), "rows of the clone")
		return f.read(t, "c")
	})
	f.expectNoLinks(t)
	f.step(t, "rename", func() error { return f.rename(t, "b", "d") })
	f.downAndUp(t)
	f.step(t, "leave nothing", func() error {
		if left := f.leftOver(t); len(left) > 0 {
			return fmt.Errorf("on the owner's connections there is %v", left)
		}
		return nil
	})
	f.dropAll(t)
}

// expectNoLinks expects that Check finds no access from one tenant to another, whether its schema
// was migrated, restored or cloned.
func (f *fixture) expectNoLinks(t *testing.T) {
	t.Helper()
	report, err := admin.Check(
		t.Context(),
		f.pool(t, f.roles.Runtime(), "r", 1),
		admin.CheckConfig{Roles: f.roles, ExtraSearchPath: f.extra},
	)
	require.NoError(t, err)
	for _, finding := range report.Findings {
		if finding.Code == admin.CodeTenantLink || finding.Code == admin.CodeTenantRights {
			assert.Fail(t, "found between tenants", finding.Message)
		}
	}
}

func (f *fixture) create(t *testing.T, slug string) error {
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	return err
}

// release creates a tenant with the first file, and applies the others one by one, as releases of a
// program do.
func (f *fixture) release(t *testing.T, slug string) error {
	versions := f.versions()
	first, err := f.runner.Subset(versions[:1])
	require.NoError(t, err)
	_, err = f.manager(t, first).Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
	for _, v := range versions {
		if err == nil {
			_, err = f.runner.UpTo(t.Context(), f.tenant(t, slug).Schema, v)
		}
	}
	return err
}

func (f *fixture) versions() []int64 {
	var versions []int64
	for _, m := range f.runner.Migrations() {
		if m.Set == migrate.TenantSet {
			versions = append(versions, m.Version)
		}
	}
	return versions
}

func (f *fixture) after(t *testing.T) error {
	for _, slug := range []string{"a", "b"} {
		if err := f.execIn(t, slug, f.testCase.after); err != nil {
			return err
		}
	}
	return nil
}

// use runs the statements of the tenants in turns, at each level, in each way. The result of a
// query must not depend on what the other tenant has done before.
func (f *fixture) use(t *testing.T) error {
	for level, db := range f.levels {
		for _, sql := range f.testCase.tenant {
			for _, slug := range []string{"b", "a", "b", "a"} {
				ctx := schemactx.NewContext(t.Context(), f.tenant(t, slug).Schema)
				for name, way := range map[string]func(context.Context, *schemactx.DB, string) error{
					"statement": statement, "transaction": transaction, "batch": batch, "query": query,
				} {
					if err := way(ctx, db, sql); err != nil {
						return fmt.Errorf("%s as a %s of %s at level %s: %w", sql, name, slug, level, err)
					}
					other := map[string]string{"a": "b", "b": "a"}[slug]
					if err := f.read(t, other); err != nil {
						return fmt.Errorf("after %s as a %s of %s at level %s: %w", sql, name, slug, level, err)
					}
				}
			}
		}
	}
	return nil
}

func statement(ctx context.Context, db *schemactx.DB, sql string) error {
	_, err := db.Exec(ctx, sql)
	return err
}

func query(ctx context.Context, db *schemactx.DB, sql string) error {
	rows, err := db.Query(ctx, sql)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

func transaction(ctx context.Context, db *schemactx.DB, sql string) error {
	return db.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	})
}

func batch(ctx context.Context, db *schemactx.DB, sql string) error {
	b := &pgx.Batch{}
	b.Queue(sql)
	b.Queue("select 1")
	return db.SendBatch(ctx, b).Close()
}

// read runs the queries of the case as the tenants, at each level.
func (f *fixture) read(t *testing.T, slugs ...string) error {
	for level, db := range f.levels {
		for _, slug := range slugs {
			ctx := schemactx.NewContext(t.Context(), f.tenant(t, slug).Schema)
			for _, q := range f.returns {
				var got string
				if err := db.QueryRow(ctx, "select ("+q.sql+")::text").Scan(&got); err != nil {
					return fmt.Errorf("%s at level %s: %w", q.sql, level, err)
				}
				if got != q.want {
					return fmt.Errorf("%s returns %q to %s at level %s, not %q", q.sql, got, slug, level, q.want)
				}
			}
		}
	}
	return nil
}

// current returns an error if tenants differ from what the migrations create.
func (f *fixture) current(t *testing.T, slugs ...string) error {
	var schemas []string
	for _, slug := range slugs {
		schemas = append(schemas, f.tenant(t, slug).Schema)
		status, err := f.runner.Status(t.Context(), f.tenant(t, slug).Schema)
		if err != nil {
			return err
		}
		if !slices.Equal(status.Versions(migrate.Applied), f.versions()) || status.Outcome != migrate.Current {
			return fmt.Errorf("status of %s: %v %v", slug, status.Outcome, status.Versions(migrate.Applied))
		}
	}
	report, err := drift.Check(
		t.Context(),
		f.runner,
		schemas,
		drift.Options{ReadOptions: drift.ReadOptions{Roles: f.roles}},
	)
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, report)
	}
	return nil
}

func (f *fixture) restoreOverItself(t *testing.T, archive, want string) error {
	restored, err := f.backups.Restore(t.Context(), archive, backup.RestoreOptions{Replace: "a"})
	if err != nil {
		return err
	}
	assert.Equal(t, want, f.content(t, "a"), "rows after the restore")
	r, err := f.tenants.RequestConfirm(t.Context(), "a", restored.Retained, "ada")
	if err != nil {
		return err
	}
	if _, err := f.backups.ConfirmRestore(
		t.Context(),
		tenancy.DropParams{Slug: "a", Token: r.Token, Actor: "ada"},
		restored.Retained,
	); err != nil {
		return err
	}
	return f.read(t, "a")
}

// rename gives a tenant another slug and schema. Afterwards it must be possible to write to it and
// to back it up.
func (f *fixture) rename(t *testing.T, slug, to string) error {
	want := f.content(t, slug)
	if _, err := f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Slug: to, Schema: "renamed"}); err != nil {
		return err
	}
	assert.Equal(t, want, f.content(t, to), "rows after the rename")
	f.step(t, "write renamed", func() error { return f.execIn(t, to, f.again) })
	f.step(t, "read renamed", func() error { return f.read(t, to) })
	f.step(t, "backup renamed", func() error {
		_, err := f.backups.Backup(t.Context(), to, backup.BackupOptions{})
		return err
	})
	return nil
}

// downAndUp undoes all migrations of a tenant and applies them again.
func (f *fixture) downAndUp(t *testing.T) {
	require.NoError(t, f.create(t, "e"))
	schema := f.tenant(t, "e").Schema
	if !f.step(t, "down", func() error {
		_, err := f.runner.DownTo(t.Context(), schema, 0)
		return err
	}) {
		return
	}
	f.step(t, "nothing left", func() error {
		left := f.text(
			t,
			`select c.relname from pg_class c where c.relnamespace = $1::regnamespace
				and c.relkind in ('r', 'v', 'm', 'S', 'p', 'f')
			and c.relname not like 'goose\_db\_version%' union all select p.proname from pg_proc p
				where p.pronamespace = $1::regnamespace`,
			schema,
		)
		if left != "" {
			return fmt.Errorf("after down there is %s", left)
		}
		return nil
	})
	f.step(t, "up", func() error {
		_, err := f.runner.Up(t.Context(), schema)
		return err
	})
	f.step(t, "current again", func() error { return f.current(t, "e") })
}

func (f *fixture) drop(t *testing.T, slug string) {
	f.step(t, "drop", func() error {
		r, err := f.tenants.RequestDrop(t.Context(), slug, "ada")
		if err == nil {
			_, err = f.tenants.Drop(t.Context(), tenancy.DropParams{Slug: slug, Token: r.Token, Actor: "ada"})
		}
		return err
	})
}

// dropAll drops all tenants. It expects that nothing of them is left.
func (f *fixture) dropAll(t *testing.T) {
	page, err := f.tenants.List(t.Context(), tenancy.Filter{})
	require.NoError(t, err)
	require.NotEmpty(t, page.Tenants)
	for _, tenant := range page.Tenants {
		f.drop(t, tenant.Slug)
	}
	left := f.text(t, `select nspname from pg_namespace where nspname ~ '^tenant' or nspname = 'renamed'`)
	assert.Empty(t, left, "schemas that are left")
}
