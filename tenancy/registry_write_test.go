package tenancy_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy"
)

// refuseNotifications makes the next COMMIT of each change of the registry fail once, as it fails
// if the notification queue becomes full after the statement.
const refuseNotifications = `create sequence public.commits;
	grant usage on public.commits to public;
	create function public.fill_queue() returns trigger language plpgsql as $$
	begin
		if current_setting('test.asked', true) is distinct from 'yes' then
			perform set_config('test.asked', 'yes', true);
			if nextval('public.commits') % 2 = 1 then
				raise 'too many notifications in the NOTIFY queue' using errcode = 'program_limit_exceeded';
			end if;
		end if;
		return null;
	end $$;
	create constraint trigger fill_queue after insert or update or delete on public.tenants
		deferrable initially deferred for each row execute function public.fill_queue();
	create constraint trigger fill_queue after insert or update or delete on public.domains
		deferrable initially deferred for each row execute function public.fill_queue()`

func TestOperationsSucceedWhenNotifyQueueIsFullAtCommit(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.pg.Pool.Exec(t.Context(), refuseNotifications)
	require.NoError(t, err)
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Domains, cfg.Stock, cfg.Drop = acceptAllDomains, tenancy.StockConfig{Size: 1}, tenancy.DropConfig{Enabled: true}
	})
	ctx := t.Context()
	a, err := m.Create(ctx, createParams("a"))
	require.NoError(t, err)
	refill(t, m)
	_, err = m.AssignStocked(ctx, createParams("b"))
	require.NoError(t, err)
	steps := []struct {
		name string
		op   func() error
	}{
		{"update", func() error { _, err := m.Update(ctx, a, tenancy.Changes{Name: &a.Slug}); return err }},
		{"suspend", func() error { _, err := m.Suspend(ctx, "a", "unpaid"); return err }},
		{"activate", func() error { _, err := m.Activate(ctx, "a"); return err }},
		{"add domain", func() error { _, err := m.AddDomain(ctx, "a", "a2.example.com"); return err }},
		{"claim domain", func() error { _, err := m.ClaimDomain(ctx, "a", "a3.example.com"); return err }},
		{"verify domain", func() error { _, err := m.VerifyDomain(ctx, "a", "a3.example.com"); return err }},
		{"set primary domain", func() error { _, err := m.SetPrimaryDomain(ctx, "a", "a2.example.com"); return err }},
		{"move domain", func() error {
			_, err := m.MoveDomain(ctx, tenancy.MoveDomainParams{
				Host: "a2.example.com", From: "a", To: "b", NewPrimary: "a.example.com",
			})
			return err
		}},
		{"remove domain", func() error { return m.RemoveDomain(ctx, "a", "a3.example.com") }},
		{"rename", func() error { _, err := m.Rename(ctx, "a", tenancy.RenameParams{Schema: "renamed"}); return err }},
		{"replace", func() error {
			s, err := m.StageReplacement(ctx, "a")
			require.NoError(t, err)
			_, err = s.Replace(ctx)
			return errors.Join(err, s.Close(ctx))
		}},
		{"revert", func() error { _, err := m.RevertReplacement(ctx, "a", "renamed"); return err }},
		{"adopt", func() error {
			s, err := m.StageTenant(ctx, tenancy.AdoptParams{Slug: "c", Domain: "c.example.com"})
			require.NoError(t, err)
			_, err = s.Adopt(ctx)
			return errors.Join(err, s.Close(ctx))
		}},
		{"drop", func() error { _, err := m.Drop(ctx, request(t, m, "b")); return err }},
	}
	for _, step := range steps {
		require.NoError(t, step.op(), step.name)
	}
	domains, err := m.Domains(ctx, a.ID)
	require.NoError(t, err)
	require.Len(t, domains, 1)
	f.expectInvariants(t)
}

// smallQueue starts a server whose queue of notifications is full at half a megabyte.
func smallQueue(t *testing.T) *pgtest.DB {
	t.Helper()
	if pgtest.Version(t) < 17 {
		t.Skip("the size of the queue is fixed at 8 GB before PostgreSQL 17")
	}
	server, err := localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{"max_notify_queue_pages": "64"}})
	if none := (*localpg.NoBinariesError)(nil); errors.As(err, &none) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	if server.Version() < 17 {
		t.Skip("the binaries of this machine are older than the server of the tests")
	}
	admin, err := pgxpool.New(t.Context(), server.TCPURL("postgres"))
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	return &pgtest.DB{URL: server.TCPURL("postgres"), Name: "postgres", Pool: admin, RolePrefix: "notifiered"}
}

// A tenant that runs its own SQL can fill the queue: one session listens and stays in a
// transaction, and another one notifies.
func TestFullNotifyQueueDoesNotStopRegistry(t *testing.T) {
	t.Parallel()
	f := setupIn(t, smallQueue(t))
	ctx := t.Context()
	a := f.create(t, "a")
	listener, notifier := f.tenantSession(t, a), f.tenantSession(t, a)
	_, err := listener.Exec(ctx, "listen chat")
	require.NoError(t, err)
	_, err = listener.Exec(ctx, "begin; select 1")
	require.NoError(t, err)
	for err == nil {
		_, err = notifier.Exec(ctx, "select pg_notify('chat', n || repeat('x', 7000)) from generate_series(1, 20) n")
	}
	for err = nil; err == nil; { // fills the rest of the last page
		_, err = notifier.Exec(ctx, "notify chat")
	}
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	require.Equal(t, "54000", pgErr.Code)

	dropper, _ := f.dropManager(t, tenancy.DropConfig{})
	b := f.create(t, "b")
	_, err = f.tenants.Suspend(ctx, "a", "abuse")
	require.NoError(t, err)
	_, err = f.tenants.AddDomain(ctx, "b", "b2.example.com")
	require.NoError(t, err)
	_, err = f.tenants.Rename(ctx, "b", tenancy.RenameParams{Slug: "c"})
	require.NoError(t, err)
	found, err := f.registry.ByHost(ctx, "b2.example.com")
	require.NoError(t, err)
	require.Equal(t, b.ID, found.ID)
	_, err = dropper.Drop(ctx, request(t, dropper, "c"))
	require.NoError(t, err)
	f.expectInvariants(t)

	// Notifications are sent again when the queue has room.
	registryListener, err := pgx.Connect(ctx, f.pg.URLAs(f.roles.Runtime(), "r"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = registryListener.Close(context.WithoutCancel(ctx)) })
	_, err = registryListener.Exec(ctx, "listen pgtenant_registry")
	require.NoError(t, err)
	require.NoError(t, listener.Close(ctx))
	for usage := 1.0; usage > 0; { // until the server has advanced the tail of the queue
		require.NoError(t, f.pg.Pool.QueryRow(timeoutContext(t), "select pg_notification_queue_usage()").Scan(&usage))
	}
	_, err = f.tenants.Activate(ctx, "a")
	require.NoError(t, err)
	_, err = registryListener.WaitForNotification(timeoutContext(t))
	require.NoError(t, err)
}
