package tenancy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func TestDropRemovesTenantAndFreesItsSlug(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, events := f.dropManager(t, tenancy.DropConfig{})
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "school_a"})
	require.NoError(t, err)
	b := f.create(t, "b")
	f.expectUsable(t, a)
	f.expectUsable(t, b)
	_, err = f.pg.Pool.Exec(t.Context(), `insert into public.domains (tenant_id, host, is_primary, verified_at, token)
		values ($1, 'www.a.example.com', false, now(), ''), ($1, 'claimed.example.com', false, null, 'x')`, a.ID)
	require.NoError(t, err)

	r, err := m.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	assert.Equal(t, a.ID, r.Tenant.ID)
	assert.Equal(t, actor, r.Actor)
	assert.NotZero(t, r.ID)
	assert.Len(t, r.Token, 43)
	assert.Equal(t, tenancy.DefaultDropTTL, r.ExpiresAt.Sub(r.RequestedAt))
	c := r.Contents
	assert.Equal(t, 2, c.Tables)
	assert.NotZero(t, c.Bytes)
	assert.Equal(t, []string{"a.example.com", "www.a.example.com"}, c.Domains)
	gone, err := m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	require.NoError(t, err)
	assert.Equal(t, a.ID, gone.ID)
	assert.Equal(t, tenancy.Dropping, gone.Status)
	events.expectPhases(t, tenancy.DropRequested, tenancy.DropStarted, tenancy.DropDone)
	assert.Empty(t, f.leftovers(t, a))
	f.expectUsable(t, b)
	var recorded, used bool
	require.NoError(t, f.owner.QueryRow(t.Context(), `select exists (select from public.schema_names where name = $1),
		exists (select from public.drop_requests where id = $2 and used_at is not null)`,
		a.Schema, r.ID).Scan(&recorded, &used))
	assert.True(t, recorded, "the schema name stays recorded")
	assert.True(t, used, "the request is used")

	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	again := f.create(t, "a")
	assert.NotEqual(t, a.Schema, again.Schema, "a schema name is not used again")
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	assert.ErrorIs(t, err, tenancy.ErrDropToken)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "c", Domain: "c.example.com", Schema: a.Schema})
	assert.ErrorIs(t, err, admin.ErrTaken)
	f.expectUsable(t, again)
}

func TestDropInEachStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	for _, status := range []tenancy.Status{
		tenancy.Active, tenancy.Suspended, tenancy.Maintenance, tenancy.Provisioning, tenancy.Dropping,
	} {
		tenant := f.create(t, string(status))
		_, err := f.pg.Pool.Exec(t.Context(), "update public.tenants set status = $2 where id = $1", tenant.ID, status)
		require.NoError(t, err)
		_, err = m.Drop(t.Context(), request(t, m, tenant.Slug))
		require.NoError(t, err)
		assert.Empty(t, f.leftovers(t, tenant), "leftovers of a tenant in status %s", status)
	}
}

// A create failed because its schema exists and has another owner. A drop must not drop that
// schema.
func TestDropKeepsSchemaThatCreateFoundTaken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	_, err := f.pg.Pool.Exec(t.Context(), "create schema existing create table existing.kept (id int)")
	require.NoError(t, err)
	_, err = m.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "existing"})
	assert.ErrorIs(t, err, admin.ErrTaken)
	_, err = m.Drop(t.Context(), request(t, m, "a"))
	require.NoError(t, err)
	_, err = f.registry.BySlug(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	_, err = f.pg.Pool.Exec(t.Context(), "select from existing.kept")
	require.NoError(t, err)
}

func TestDropOfThousandTables(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	a := f.create(t, "a")
	for range 4 {
		_, err := f.owner.Exec(t.Context(), `do $$ begin
			for i in 1 .. 250 loop
				execute format('create table `+a.Schema+`.%I (id int primary key, body text)',
					'many_' || nextval('public.tenants_id_seq'));
			end loop;
		end $$`)
		require.NoError(t, err)
	}
	r, err := m.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	assert.Equal(t, 1002, r.Contents.Tables)
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	require.NoError(t, err)
	assert.Empty(t, f.leftovers(t, a))
}

// A tenant's name or number may be a prefix of another tenant's, such as t_1 and t_10.
func TestDropKeepsTenantsWithSimilarNames(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	var tenants []tenancy.Tenant
	for i := range 20 {
		name := fmt.Sprintf("tenant-%d", i+1)
		tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{
			Slug: name, Domain: name + ".example.com", Schema: fmt.Sprintf("t_%d", i+1),
		})
		require.NoError(t, err)
		f.expectUsable(t, tenant)
		tenants = append(tenants, tenant)
	}
	for len(tenants) > 0 {
		_, err := m.Drop(t.Context(), request(t, m, tenants[0].Slug))
		require.NoError(t, err)
		assert.Empty(t, f.leftovers(t, tenants[0]), tenants[0].Slug)
		tenants = tenants[1:]
		for _, other := range tenants {
			f.expectUsable(t, other)
		}
	}
	assert.Equal(t, [3]int{}, f.countRows(t), "tenants, domains and schemas")
}

func TestDropWaitsForRunningTransactions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	options := admin.DeprovisionOptions{LockTimeout: 10 * time.Millisecond}
	m, events := f.dropManager(t, tenancy.DropConfig{Options: options})
	a, b := f.create(t, "a"), f.create(t, "b")
	f.expectUsable(t, b)
	request := request(t, m, "a")
	inA := tenancy.NewContext(t.Context(), &a)
	tx, err := f.db.Begin(inA)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(inA) }() // if the test fails before it rolls back
	_, err = tx.Exec(inA, "insert into notes values ('in flight')")
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := m.Drop(ctx, request)
		result <- err
	}()
	f.waitUntil(t, `exists (select from pg_locks where not granted
		and database = (select oid from pg_database where datname = current_database()))`)
	cancel()
	err = <-result
	var stopped *tenancy.StepError
	require.ErrorAs(t, err, &stopped)
	require.Equal(t, tenancy.OpDrop, stopped.Op)
	require.Equal(t, "schema", stopped.Step)
	require.Equal(t, tenancy.Dropping, stopped.Tenant.Status)
	assert.ErrorIs(t, err, context.Canceled)
	events.expectPhases(t, tenancy.DropRequested, tenancy.DropStarted, tenancy.DropStopped)

	// New requests fail at once. The running transaction reads its own rows or fails.
	_, err = f.db.Exec(inA, "select from notes")
	var scopeErr *schemactx.ScopeError
	assert.ErrorAs(t, err, &scopeErr, "a new request of the tenant")
	var body string
	err = tx.QueryRow(inA, "select body from notes").Scan(&body)
	var pgErr *pgconn.PgError
	if err == nil {
		assert.Equal(t, "in flight", body, "note that the running transaction reads")
	} else if assert.ErrorAs(t, err, &pgErr) {
		assert.Contains(t, []string{"42501", "42P01"}, pgErr.Code)
	}
	_ = tx.Rollback(inA)
	_, err = m.Drop(t.Context(), request)
	require.NoError(t, err)
	assert.Empty(t, f.leftovers(t, a))
	f.expectUsable(t, b)
}

func TestOneOfConcurrentDropsSucceeds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	f.create(t, "a")
	params := request(t, m, "a")
	var wg sync.WaitGroup
	results := make(chan error, 8)
	for range cap(results) {
		wg.Go(func() {
			_, err := m.Drop(t.Context(), params)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	done := 0
	for err := range results {
		if err == nil {
			done++
		} else {
			assert.ErrorIs(t, err, tenancy.ErrNotFound)
		}
	}
	assert.Equal(t, 1, done, "drops that succeeded")
}

// In any order, concurrent creates, resumes and drops of one slug leave a complete tenant or none.
func TestConcurrentDropsAndCreatesOfOneSlug(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.dropManager(t, tenancy.DropConfig{})
	var wg sync.WaitGroup
	repeat := func(name string, allowed []error, op func() error) {
		wg.Go(func() {
			for range 12 {
				err := op()
				assert.True(t, err == nil || slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }),
					"%s: %v", name, err)
			}
		})
	}
	params := tenancy.CreateParams{Slug: "a", Domain: "a.example.com"}
	repeat("create", []error{tenancy.ErrSlugTaken, tenancy.ErrDomainTaken}, func() error {
		_, err := m.Create(t.Context(), params)
		return err
	})
	repeat("resume", []error{tenancy.ErrNotFound, tenancy.ErrStatus}, func() error {
		_, err := m.Resume(t.Context(), "a")
		return err
	})
	for range 2 {
		repeat("drop", []error{tenancy.ErrNotFound, tenancy.ErrDropToken}, func() error {
			r, err := m.RequestDrop(t.Context(), "a", actor)
			if err == nil {
				_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
			}
			return err
		})
	}
	wg.Wait()
	_, err := m.Create(t.Context(), params)
	if err != nil {
		assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	}
	a, err := m.BySlug(t.Context(), "a")
	require.NoError(t, err)
	f.expectUsable(t, a)
	assert.Equal(t, [3]int{1, 1, 1}, f.countRows(t), "tenants, domains and schemas")
}

func TestDropTokenIsReturnedOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Logger, cfg.Drop.Enabled = logger, true
	})
	f.create(t, "a")
	r, err := m.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	logger.Info("requested", slog.Any("request", r))
	again, err := m.DropRequest(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Empty(t, again.Token)
	assert.Equal(t, actor, again.Actor)
	assert.Equal(t, "a", again.Tenant.Slug)
	assert.Equal(t, r.Contents.Tables, again.Contents.Tables)
	rows, err := f.owner.Query(t.Context(), "select d::text from public.drop_requests d")
	require.NoError(t, err)
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: "eve"})
	shown := fmt.Sprint(stored, log.String(), err, r) + fmt.Sprintf("%v %+v %#v", r, r, &r)
	assert.NotContains(t, shown, r.Token)
	assert.Contains(t, shown, actor)
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	require.NoError(t, err)
	_, err = m.DropRequest(t.Context(), r.ID)
	assert.ErrorIs(t, err, tenancy.ErrDropRequest)
}
