package resolver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Attack 42: every process sees a change by itself. The change is committed on the owner's pool; the two directories have
// pools of their own, and neither reconciles nor asks for unknown hosts.
func TestEveryProcessSeesAChange(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.tenant(t, "a", "a.example.com", "shop.example.com")
	b := f.tenant(t, "b", "b.example.com")
	directories := []*resolver.Directory{f.directory(t, resolver.Config{}), f.directory(t, resolver.Config{})}
	seen := func(what string, is func(d *resolver.Directory) bool) {
		t.Helper()
		for _, d := range directories {
			eventually(t, what, func() bool { return is(d) })
		}
	}
	leads := func(host, slug string) func(d *resolver.Directory) bool {
		return func(d *resolver.Directory) bool { return slugOf(t, d, host) == slug }
	}
	status := func(want tenancy.Status) func(d *resolver.Directory) bool {
		return func(d *resolver.Directory) bool {
			target, err := d.Resolve(t.Context(), "a.example.com")
			return err == nil && target.Tenant().Status == want
		}
	}

	f.exec(t, "update domains set tenant_id = $1 where host = 'shop.example.com'", b)
	seen("the domain moved", leads("shop.example.com", "b"))
	f.exec(t, "update domains set tenant_id = $1 where host = 'shop.example.com'", a)
	seen("the domain moved back", leads("shop.example.com", "a"))
	f.exec(t, "update tenants set status = 'suspended' where id = $1", a)
	seen("the tenant suspended", status(tenancy.Suspended))
	f.exec(t, "update tenants set status = 'active' where id = $1", a)
	seen("the tenant active again", status(tenancy.Active))
	f.exec(t, "update domains set verified_at = null where host = 'shop.example.com'")
	seen("the domain no longer verified", leads("shop.example.com", ""))
	f.exec(t, "update tenants set status = 'stocked' where id = $1", a)
	seen("the tenant in stock", leads("a.example.com", ""))
	f.exec(t, "with d as (delete from domains where tenant_id = $1) delete from tenants where id = $1", b)
	seen("the tenant dropped", leads("b.example.com", ""))
	c := f.tenant(t, "c", "b.example.com")
	seen("another tenant with the dropped one's domain", leads("b.example.com", "c"))
	for _, d := range directories {
		found, ok := d.ByID(c)
		bySlug, okSlug := d.BySlug("c")
		if !ok || !okSlug || found != bySlug || found.Schema != "s_c" {
			t.Errorf("by id %+v, by slug %+v", found, bySlug)
		}
		if _, ok := d.ByID(b); ok {
			t.Error("the dropped tenant is found by its id")
		}
		if _, ok := d.BySlug("b"); ok {
			t.Error("the dropped tenant is found by its slug")
		}
		if s := d.Status(); s.FullLoads != 1 || s.Tenants != 1 || s.Hosts != 1 || !s.Connected || s.Err != nil || s.FailedLoads != 0 {
			t.Errorf("status %+v", s)
		}
	}
}

func TestChangesOfManyTenantsAreOneLoad(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(t, `with s as (insert into schema_names (name, tenant_id) select 's_' || i, 0 from generate_series(1, 1000) i returning name),
		t as (insert into tenants (schema_name, slug, name, status) select name, replace(name, '_', '-'), name, 'active' from s returning id, slug)
		insert into domains (tenant_id, host, is_primary, verified_at) select id, slug || '.example.com', true, now() from t`)
	d := f.directory(t, resolver.Config{})
	f.exec(t, "update tenants set status = 'suspended'")
	eventually(t, "all suspended", func() bool {
		for i := range 1000 {
			target, err := d.Resolve(t.Context(), fmt.Sprintf("s-%d.example.com", i+1))
			if err != nil || target.Tenant().Status != tenancy.Suspended {
				return false
			}
		}
		return true
	})
	eventually(t, "all notifications", func() bool { return d.Status().Notifications == 1000 })
	// They come while others are read: a part of them is read by its ids, and then everything.
	if s := d.Status(); s.FullLoads < 2 || s.FullLoads+s.PartialLoads > 20 {
		t.Errorf("status %+v", s)
	}
}

func TestRefreshBringsInWhatWasCommittedBefore(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d := f.directory(t, resolver.Config{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			slug := fmt.Sprintf("t%d", i)
			id := f.tenant(t, slug, slug+".example.com")
			if err := d.Refresh(t.Context(), id); err != nil || slugOf(t, d, slug+".example.com") != slug {
				t.Errorf("%s is not there: %v", slug, err)
			}
			f.exec(t, "update domains set host = $2 where tenant_id = $1", id, "new-"+slug+".example.com")
			if err := d.Refresh(t.Context()); err != nil || slugOf(t, d, "new-"+slug+".example.com") != slug {
				t.Errorf("%s has no new domain: %v", slug, err)
			}
		})
	}
	wg.Wait()
	d.Close()
	expectIs(t, d.Refresh(t.Context()), resolver.ErrClosed)
	expectIs(t, d.Refresh(t.Context(), 1), resolver.ErrClosed)
	expectHosts(t, d, map[string]string{"new-t1.example.com": "t1", "t1.example.com": ""})
}

// What notifications do not tell is found by reading everything from time to time.
func TestReconcileFindsWhatWasNotNotified(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.tenant(t, "a", "a.example.com")
	d := f.directory(t, resolver.Config{Reconcile: 10 * time.Millisecond})
	check(t, pgx.BeginFunc(t.Context(), f.pg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "set local session_replication_role = replica") // no triggers
		check(t, err)
		_, err = tx.Exec(t.Context(), "update public.domains set host = 'new.example.com' where tenant_id = $1", id)
		return err
	}))
	eventually(t, "the change", func() bool {
		return slugOf(t, d, "new.example.com") == "a" && slugOf(t, d, "a.example.com") == ""
	})
	if s := d.Status(); s.Notifications != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestNewDirectoryNeedsAFirstCopy(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := resolver.NewDirectory(ctx, f.db(t, nil), resolver.Config{})
	expectIs(t, err, context.Canceled)
	trouble := errors.New("no such host")
	_, err = resolver.NewDirectory(t.Context(), f.db(t, nil), resolver.Config{
		Connect: func(context.Context) (*pgx.Conn, error) { return nil, trouble },
	})
	expectIs(t, err, trouble)
	f.exec(t, "revoke select on tenants from "+pgx.Identifier{f.roles.Public()}.Sanitize())
	f.exec(t, "revoke select (id) on tenants from "+pgx.Identifier{f.roles.Public()}.Sanitize())
	_, err = resolver.NewDirectory(t.Context(), f.db(t, nil), resolver.Config{})
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
		t.Errorf("got %v", err)
	}
}

// ctx of NewDirectory governs the first load and nothing after it. The schema in it does not matter.
func TestADirectoryOutlivesTheContextOfItsOpening(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(schemactx.NewContext(t.Context(), "tenant_1"))
	d, err := resolver.NewDirectory(ctx, f.db(t, nil), resolver.Config{MissBurst: -1})
	check(t, err)
	defer d.Close()
	cancel()
	f.tenant(t, "a", "a.example.com")
	eventually(t, "the new tenant", func() bool { return slugOf(t, d, "a.example.com") == "a" })
	d.Close()
	d.Close()
	if s := d.Status(); s.Connected || !errors.Is(s.Err, resolver.ErrClosed) {
		t.Errorf("status %+v", s)
	}
}

// The goroutines of a directory carry the labels of the one that opened it, and so can be told from those of other tests.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.db(t, nil)
	const label = "the test of Close"
	var d *resolver.Directory
	pprof.Do(t.Context(), pprof.Labels("opened-by", label), func(ctx context.Context) {
		var err error
		d, err = resolver.NewDirectory(ctx, db, resolver.Config{})
		check(t, err)
	})
	running := func() bool {
		var all bytes.Buffer
		check(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
		return strings.Contains(all.String(), label)
	}
	if !running() {
		t.Error("the directory has no goroutines")
	}
	d.Close()
	eventually(t, "the end of all goroutines", func() bool { return !running() })
}
