package tenancy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// The previous release stores the state of operations in columns. Its unfinished operations
// continue after the upgrade.
func TestOperationsOfPreviousReleaseContinue(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := t.Context()
	injected := errors.New("stopped")

	_, err := f.stopAt(t, "seed", injected).
		Create(ctx, tenancy.CreateParams{Slug: "created", Domain: "created.example.com"})
	require.ErrorIs(t, err, injected)
	f.insertNote(t, f.create(t, "renamed"), "of renamed")
	_, err = f.stopAt(t, "switch", injected).Rename(ctx, "renamed", tenancy.RenameParams{Schema: "renamed"})
	require.ErrorIs(t, err, injected)
	f.stopReplacement(t, "replaced", "close")
	f.stopReplacement(t, "suspended", "close")
	_, err = f.tenants.Suspend(ctx, "suspended", "unpaid")
	require.NoError(t, err)
	f.stopReplacement(t, "ended", "open")
	_, err = f.tenants.Resume(ctx, "ended")
	require.NoError(t, err)
	retained := f.stopReplacement(t, "confirmed", "open")
	confirming := f.stopAt(t, "drop", injected)
	r, err := confirming.RequestConfirm(ctx, "confirmed", retained, actor)
	require.NoError(t, err)
	confirm := tenancy.DropParams{Slug: "confirmed", Token: r.Token, Actor: actor}
	_, err = confirming.ConfirmReplacement(ctx, confirm, retained)
	require.ErrorIs(t, err, injected)
	f.create(t, "dropped")
	dropping := f.stopAt(t, "delete", injected)
	drop := request(t, dropping, "dropped")
	_, err = dropping.Drop(ctx, drop)
	require.ErrorIs(t, err, injected)
	stock := tenancy.StockConfig{Size: 1}
	refilling := f.stockManager(t, stock, func(cfg *tenancy.Config) {
		cfg.Hooks.Before = failBefore("migrate", injected)
	})
	_, err = refilling.Refill(ctx)
	require.ErrorIs(t, err, injected)

	require.NoError(t, f.runDown(t, "00010_operations.sql"))
	old := f.queryStrings(t, `select slug || ' ' || status || ' ' || (failure <> '') || ' ' || next_schema || ' ' ||
			coalesce((
			select string_agg(state || ' ' || used || ' ' || reopen, ',') from side_schemas s where tenant_id = t.id), '')
		from tenants t where status <> 'stocked' order by id`)
	assert.Equal(t, []string{
		"created provisioning true  ", "renamed active true renamed ", "replaced maintenance true  aside true true",
		"suspended suspended true  aside true true", "ended active false  aside true false",
		"confirmed active true  dropping true false", "dropped dropping true  ",
	}, old)

	require.NoError(t, f.tenants.Init(ctx))
	assert.Equal(t, []string{
		"created create schema", "renamed rename schema renamed", "replaced replace schema open true",
		"suspended replace schema open true", "confirmed confirm replacement drop", "dropped drop schema", "stock schema",
	}, f.queryStrings(t, `select concat_ws(' ', case when status = 'stocked' then null else slug end, operation, step,
			case operation when 'rename' then arguments->>'schema' else arguments->>'reopen' end)
		from tenants t join registry_operations o on o.tenant_id = t.id order by t.id`))
	for _, slug := range []string{"created", "renamed", "replaced", "suspended"} {
		_, err := f.tenants.Resume(ctx, slug)
		require.NoError(t, err, slug)
	}
	m := f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop.Enabled = true })
	_, err = m.ConfirmReplacement(ctx, confirm, retained)
	require.NoError(t, err)
	_, err = m.Drop(ctx, drop)
	require.NoError(t, err)
	refill(t, f.stockManager(t, stock, func(*tenancy.Config) {}))
	f.expectServed(t, "replaced", "new", "old")
	f.expectServed(t, "ended", "new", "old")
	f.expectServed(t, "confirmed", "new")
	got, err := f.tenants.BySlug(ctx, "renamed")
	require.NoError(t, err)
	assert.Equal(t, "renamed", got.Schema)
	f.expectNote(t, got, "of renamed")
	got, err = f.tenants.Activate(ctx, "suspended")
	require.NoError(t, err)
	f.expectServed(t, "suspended", "new", "old")
	f.expectInvariants(t)
}

// A confirmation of the previous release may begin while the migration runs.
func TestConfirmationOfPreviousReleaseDuringTheMigrationContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := t.Context()
	retained := f.stopReplacement(t, "a", "close")
	_, err := f.tenants.Resume(ctx, "a")
	require.NoError(t, err)
	require.NoError(t, f.runDown(t, "00010_operations.sql"))
	tx, err := f.pg.Pool.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	_, err = tx.Exec(ctx, "update side_schemas set state = 'dropping' where state = 'aside'")
	require.NoError(t, err)
	migrated := make(chan error, 1)
	go func() { migrated <- f.tenants.Init(ctx) }()
	f.waitUntil(t, `exists (select from pg_locks where not granted
		and relation = 'side_schemas'::regclass and mode = 'AccessExclusiveLock')`)
	require.NoError(t, tx.Commit(ctx))
	require.NoError(t, <-migrated)
	_, err = f.tenants.RevertReplacement(ctx, "a", retained)
	require.ErrorIs(t, err, tenancy.ErrBusy)
}

// In the previous release, a tenant can be replaced while a confirmation has not ended. So it can
// have several retained schemas.
func TestExchangeClosesAllRetainedSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := t.Context()
	f.createReplaced(t, "a")
	first, err := f.tenants.RetainedSchema(ctx, "a")
	require.NoError(t, err)
	f.exec(t, "update public.side_schemas set tenant_id = 0") // as if its confirmation had begun
	s, err := f.stopAt(t, "close", errors.New("stopped")).StageReplacement(ctx, "a")
	require.NoError(t, err)
	f.fillStaging(t, s, "newer")
	stopped, err := s.Replace(ctx)
	require.Error(t, err)
	require.NoError(t, s.Close(ctx))
	f.exec(t, "update public.side_schemas set tenant_id = $1", stopped.ID)
	_, err = admin.RestoreAccess(ctx, f.owner, f.roles, first.Schema)
	require.NoError(t, err)
	f.exec(t, "insert into public.schema_names (name, tenant_id) values ('gone', $1)", stopped.ID)
	f.exec(t, `insert into public.side_schemas (schema_name, tenant_id, used, since)
		values ('gone', $1, true, now() - interval '1 day')`, stopped.ID)

	require.NoError(t, resume(ctx, f.tenants, "a"))
	f.expectServed(t, "a", "newer", "old")
	for _, schema := range []string{first.Schema, stopped.Operation.Schema} {
		retained := tenancy.Tenant{ID: stopped.ID, Slug: "a", Schema: schema, Status: tenancy.Active}
		_, err := f.db.Exec(tenancy.NewContext(ctx, &retained), "insert into notes values ('lost')")
		assert.ErrorIs(t, err, schemactx.ErrNotProvisioned, schema)
	}

	require.NoError(t, f.runDown(t, "00010_operations.sql"))
	assert.Equal(t, []string{"gone dropping", first.Schema + " dropping", stopped.Operation.Schema + " aside"},
		f.queryStrings(t, "select schema_name || ' ' || state from side_schemas order by since"))
	require.NoError(t, f.tenants.Init(ctx))
}

// exec executes a statement as the owner role.
func (f *fixture) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := f.owner.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func TestMigrationRefusesRenameDuringReplacement(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.stopReplacement(t, "a", "close")
	require.NoError(t, f.runDown(t, "00010_operations.sql"))
	f.exec(t, "update public.tenants set next_schema = 'renamed'")
	require.ErrorContains(t, f.tenants.Init(t.Context()), "have not ended: tenants a")
	f.exec(t, "update public.tenants set next_schema = ''")
	require.NoError(t, f.tenants.Init(t.Context()))
	require.NoError(t, resume(t.Context(), f.tenants, "a"))
	f.expectServed(t, "a", "new", "old")
}

// A process of the previous release that runs a confirmation during the migration can still end it:
// these statements of it name no column that is gone.
func TestConfirmationThatPreviousReleaseEndsIsEnded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := t.Context()
	for slug, end := range map[string]func(slug, retained string) error{
		"resume": func(slug, _ string) error { return resume(ctx, f.tenants, slug) },
		"confirm": func(slug, retained string) error {
			m := f.managerWith(t, func(cfg *tenancy.Config) { cfg.Drop.Enabled = true })
			p := tenancy.DropParams{Slug: slug, Token: "used", Actor: actor}
			_, err := m.ConfirmReplacement(ctx, p, retained)
			return err
		},
	} {
		f.createReplaced(t, slug)
		retained, err := f.tenants.RetainedSchema(ctx, slug)
		require.NoError(t, err)
		m := f.stopAt(t, "drop", errors.New("stopped"))
		r, err := m.RequestConfirm(ctx, slug, retained.Schema, actor)
		require.NoError(t, err)
		_, err = m.ConfirmReplacement(ctx, tenancy.DropParams{Slug: slug, Token: r.Token, Actor: actor}, retained.Schema)
		require.Error(t, err)
		require.ErrorIs(t, resume(ctx, f.tenants, slug), tenancy.ErrBusy)

		_, err = admin.Deprovision(ctx, f.owner, f.roles, retained.Schema, admin.DeprovisionOptions{})
		require.NoError(t, err)
		_, err = f.owner.Exec(ctx, "delete from public.side_schemas where id = $1", retained.ID)
		require.NoError(t, err)
		_, err = f.owner.Exec(ctx, "update public.drop_requests set used_at = now() where id = $1", r.ID)
		require.NoError(t, err)
		require.NoError(t, end(slug, retained.Schema))
		f.expectServed(t, slug, "new")
		require.NoError(t, rename(ctx, f.tenants, slug))
		require.ErrorIs(t, end("new-"+slug, retained.Schema), map[string]error{
			"resume": tenancy.ErrStatus, "confirm": tenancy.ErrNoRetainedSchema,
		}[slug])
	}
	f.expectInvariants(t)
}

// The previous release writes on any session. Each of its statements that begins or ends an
// operation uses these columns, which the migration has dropped.
func TestStatementsOfPreviousReleaseFail(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	for _, sql := range []string{
		// each change of a tenant
		"update tenants t set status = 'active' where id = $1 returning t.id, t.failure, t.next_schema",
		// each operation under the lock
		"select t.failure, t.next_schema from tenants t where id = $1",
		// drop, replace, activate
		"select s.state, s.reopen from side_schemas s where s.tenant_id = $1",
		"update side_schemas set state = 'dropping' where id = $1 and state = 'aside'", // confirm, sweep
		// the end of a replacement
		"update side_schemas set reopen = false where tenant_id = $1 and state = 'aside' and reopen",
	} {
		_, err := f.owner.Exec(t.Context(), sql, a.ID)
		var pgErr *pgconn.PgError
		require.ErrorAs(t, err, &pgErr, sql)
		assert.Equal(t, "42703", pgErr.Code, sql)
	}
}
