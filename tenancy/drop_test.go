package tenancy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func TestADroppedTenantIsGoneAndItsNamesAreFree(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, told := f.droppers(t, tenancy.DropConfig{})
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "school_a"})
	check(t, err)
	b := f.create(t, "b")
	f.use(t, a)
	f.use(t, b)
	_, err = f.pg.Pool.Exec(t.Context(), `insert into public.domains (tenant_id, host, is_primary, verified_at, token) values
		($1, 'www.a.example.com', false, now(), ''), ($1, 'claimed.example.com', false, null, 'x')`, a.ID)
	check(t, err)

	r, err := m.RequestDrop(t.Context(), "a", actor)
	check(t, err)
	if r.Tenant.ID != a.ID || r.Actor != actor || r.ID == 0 || len(r.Token) != 43 || r.ExpiresAt.Sub(r.RequestedAt) != tenancy.DefaultDropTTL {
		t.Errorf("request %+v", r)
	}
	if c := r.Contents; c.Tables != 2 || c.Bytes == 0 || !slices.Equal(c.Domains, []string{"a.example.com", "www.a.example.com"}) {
		t.Errorf("contents %+v", c)
	}
	gone, err := m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	check(t, err)
	if gone.ID != a.ID || gone.Status != tenancy.Dropping {
		t.Errorf("dropped %+v", gone)
	}
	expectPhases(t, told, tenancy.DropRequested, tenancy.DropStarted, tenancy.DropDone)
	if left := f.left(t, a); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	f.use(t, b)
	var remembered, used bool
	check(t, f.owner.QueryRow(t.Context(), `select exists (select from public.schema_names where name = $1),
		exists (select from public.drop_requests where id = $2 and used_at is not null)`, a.Schema, r.ID).Scan(&remembered, &used))
	if !remembered || !used {
		t.Errorf("name remembered: %t, request used: %t", remembered, used)
	}

	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	expectIs(t, err, tenancy.ErrNotFound)
	again := f.create(t, "a")
	if again.Schema == a.Schema {
		t.Errorf("schema %q was given out twice", a.Schema)
	}
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	expectIs(t, err, tenancy.ErrDropToken)
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "c", Domain: "c.example.com", Schema: a.Schema})
	expectIs(t, err, admin.ErrTaken)
	f.use(t, again)
}

func TestAnUnfinishedOrRefusedTenantCanBeDropped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.droppers(t, tenancy.DropConfig{})
	for _, status := range []tenancy.Status{tenancy.Active, tenancy.Suspended, tenancy.Maintenance, tenancy.Provisioning, tenancy.Dropping} {
		tenant := f.create(t, string(status))
		_, err := f.pg.Pool.Exec(t.Context(), "update public.tenants set status = $2 where id = $1", tenant.ID, status)
		check(t, err)
		_, err = m.Drop(t.Context(), request(t, m, tenant.Slug))
		check(t, err)
		if left := f.left(t, tenant); len(left) > 0 {
			t.Errorf("left of a tenant that was %s: %q", status, left)
		}
	}
}

// A create that ran into a schema that is not its own must not take that schema with it.
func TestAForeignSchemaStaysWhenTheCreateThatMetItIsDropped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.droppers(t, tenancy.DropConfig{})
	_, err := f.pg.Pool.Exec(t.Context(), "create schema theirs create table theirs.kept (id int)")
	check(t, err)
	_, err = m.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "theirs"})
	expectIs(t, err, admin.ErrTaken)
	_, err = m.Drop(t.Context(), request(t, m, "a"))
	check(t, err)
	_, err = f.registry.BySlug(t.Context(), "a")
	expectIs(t, err, tenancy.ErrNotFound)
	_, err = f.pg.Pool.Exec(t.Context(), "select from theirs.kept")
	check(t, err)
}

func TestATenantOfAThousandTablesIsDropped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.droppers(t, tenancy.DropConfig{})
	a := f.create(t, "a")
	for range 4 {
		_, err := f.owner.Exec(t.Context(), `do $$ begin
			for i in 1 .. 250 loop
				execute format('create table `+a.Schema+`.%I (id int primary key, body text)', 'many_' || nextval('public.tenants_id_seq'));
			end loop;
		end $$`)
		check(t, err)
	}
	r, err := m.RequestDrop(t.Context(), "a", actor)
	check(t, err)
	if r.Contents.Tables != 1002 {
		t.Errorf("%d tables", r.Contents.Tables)
	}
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	check(t, err)
	if left := f.left(t, a); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Names that begin alike, and numbers that are begun by others, are nobody else's.
func TestBulkDropsLeaveTheNeighboursAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.droppers(t, tenancy.DropConfig{})
	var tenants []tenancy.Tenant
	for i := range 20 {
		name := fmt.Sprintf("tenant-%d", i+1)
		tenant, err := f.tenants.Create(t.Context(), tenancy.CreateParams{
			Slug: name, Domain: name + ".example.com", Schema: fmt.Sprintf("t_%d", i+1),
		})
		check(t, err)
		f.use(t, tenant)
		tenants = append(tenants, tenant)
	}
	for len(tenants) > 0 {
		_, err := m.Drop(t.Context(), request(t, m, tenants[0].Slug))
		check(t, err)
		if left := f.left(t, tenants[0]); len(left) > 0 {
			t.Errorf("left of %s: %q", tenants[0].Slug, left)
		}
		tenants = tenants[1:]
		for _, neighbour := range tenants {
			f.use(t, neighbour)
		}
	}
	if rows := f.rows(t); rows != [3]int{} {
		t.Errorf("left: %v", rows)
	}
}

func TestADropWaitsForRequestsInFlight(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, told := f.droppers(t, tenancy.DropConfig{Options: admin.DeprovisionOptions{LockTimeout: 10 * time.Millisecond}})
	a, b := f.create(t, "a"), f.create(t, "b")
	f.use(t, b)
	request := request(t, m, "a")
	inA := tenancy.NewContext(t.Context(), &a)
	tx, err := f.db.Begin(inA)
	check(t, err)
	defer func() { _ = tx.Rollback(inA) }() // ended by then, unless the test has failed
	_, err = tx.Exec(inA, "insert into notes values ('in flight')")
	check(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // until the drop waits for the request in flight
		defer cancel()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			var waits bool
			err := f.pg.Pool.QueryRow(ctx, "select exists (select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database()))").Scan(&waits)
			if err != nil || waits {
				return
			}
		}
	}()
	_, err = m.Drop(ctx, request)
	var stopped *tenancy.StepError
	if !errors.As(err, &stopped) || stopped.Op != tenancy.OpDrop || stopped.Step != "schema" || stopped.Tenant.Status != tenancy.Dropping {
		t.Fatalf("got %v", err)
	}
	expectIs(t, err, context.Canceled)
	expectPhases(t, told, tenancy.DropRequested, tenancy.DropStarted, tenancy.DropStopped)

	// Others are out at once, and this one sees its own rows or an error.
	_, err = f.db.Exec(inA, "select from notes")
	var scopeErr *schemactx.ScopeError
	if !errors.As(err, &scopeErr) {
		t.Errorf("a new request of the tenant: %v", err)
	}
	var body string
	err = tx.QueryRow(inA, "select body from notes").Scan(&body)
	var pgErr *pgconn.PgError
	if err == nil && body != "in flight" || err != nil && (!errors.As(err, &pgErr) || pgErr.Code != "42501" && pgErr.Code != "42P01") {
		t.Errorf("the request in flight reads %q, %v", body, err)
	}
	_ = tx.Rollback(inA)
	_, err = m.Drop(t.Context(), request)
	check(t, err)
	if left := f.left(t, a); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	f.use(t, b)
}

func TestOneOfManyDropsDrops(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.droppers(t, tenancy.DropConfig{})
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
		switch {
		case err == nil:
			done++
		case !errors.Is(err, tenancy.ErrNotFound):
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d drops succeeded", done)
	}
}

// Whoever comes first, a create, resume and drop of one slug end with a whole tenant or none.
func TestDropsAndCreatesOfOneSlugDoNotMix(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m, _ := f.droppers(t, tenancy.DropConfig{})
	var wg sync.WaitGroup
	run := func(what string, allowed []error, op func() error) {
		wg.Go(func() {
			for range 12 {
				err := op()
				if err != nil && !slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) }) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	params := tenancy.CreateParams{Slug: "a", Domain: "a.example.com"}
	run("create", []error{tenancy.ErrSlugTaken, tenancy.ErrDomainTaken}, func() error {
		_, err := m.Create(t.Context(), params)
		return err
	})
	run("resume", []error{tenancy.ErrNotFound, tenancy.ErrStatus}, func() error {
		_, err := m.Resume(t.Context(), "a")
		return err
	})
	for range 2 {
		run("drop", []error{tenancy.ErrNotFound, tenancy.ErrDropToken}, func() error {
			r, err := m.RequestDrop(t.Context(), "a", actor)
			if err == nil {
				_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
			}
			return err
		})
	}
	wg.Wait()
	if _, err := m.Create(t.Context(), params); err != nil && !errors.Is(err, tenancy.ErrSlugTaken) {
		t.Error(err)
	}
	a, err := m.BySlug(t.Context(), "a")
	check(t, err)
	f.use(t, a)
	if rows := f.rows(t); rows != [3]int{1, 1, 1} {
		t.Errorf("tenants, domains and schemas: %v", rows)
	}
}

func TestATokenIsShownOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Logger, cfg.Drop.Enabled = logger, true
	})
	f.create(t, "a")
	r, err := m.RequestDrop(t.Context(), "a", actor)
	check(t, err)
	logger.Info("requested", slog.Any("request", r))
	again, err := m.DropRequest(t.Context(), r.ID)
	check(t, err)
	if again.Token != "" || again.Actor != actor || again.Tenant.Slug != "a" || again.Contents.Tables != r.Contents.Tables {
		t.Errorf("read again: %+v", again)
	}
	rows, err := f.owner.Query(t.Context(), "select d::text from public.drop_requests d")
	check(t, err)
	stored, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: "eve"})
	shown := fmt.Sprint(stored, log.String(), err, r) + fmt.Sprintf("%v %+v %#v", r, r, &r)
	if strings.Contains(shown, r.Token) || !strings.Contains(shown, actor) {
		t.Errorf("shown: %s", shown)
	}
	_, err = m.Drop(t.Context(), tenancy.DropParams{Slug: "a", Token: r.Token, Actor: actor})
	check(t, err)
	_, err = m.DropRequest(t.Context(), r.ID)
	expectIs(t, err, tenancy.ErrDropRequest)
}
