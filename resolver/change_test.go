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
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Attack 42: every process sees a change without a request for it. The change is committed on the
// owner's pool. The two directories have their own pools, and neither reconciles nor looks up
// unknown hosts.
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
		if assert.True(t, ok, "by id %+v, by slug %+v", found, bySlug) &&
			assert.True(t, okSlug, "by id %+v, by slug %+v", found, bySlug) &&
			assert.Same(t, bySlug, found, "by id %+v, by slug %+v", found, bySlug) {
			assert.Equal(t, "s_c", found.Schema, "by id %+v, by slug %+v", found, bySlug)
		}
		_, ok = d.ByID(b)
		assert.False(t, ok, "the dropped tenant is found by its id")
		_, ok = d.BySlug("b")
		assert.False(t, ok, "the dropped tenant is found by its slug")
		s := d.Status()
		assert.Equal(t, int64(1), s.FullLoads, "status %+v", s)
		assert.Equal(t, 1, s.Tenants, "status %+v", s)
		assert.Equal(t, 1, s.Hosts, "status %+v", s)
		assert.True(t, s.Connected, "status %+v", s)
		assert.NoError(t, s.Err, "status %+v", s)
		assert.Zero(t, s.FailedLoads, "status %+v", s)
	}
}

func TestManyChangesAreOneLoad(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.exec(
		t,
		`with s as (insert into schema_names (name, tenant_id) select 's_' || i, 0 from generate_series(1, 1000) i
			returning name),
		t as (insert into tenants (schema_name, slug, name, status)
			select name, replace(name, '_', '-'), name, 'active' from s returning id, slug)
		insert into domains (tenant_id, host, is_primary, verified_at) select id, slug || '.example.com', true, now() from t`,
	)
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
	// Notifications arrive while others are processed: some rows are loaded by id, and then all rows.
	s := d.Status()
	assert.GreaterOrEqual(t, s.FullLoads, int64(2), "status %+v", s)
	assert.LessOrEqual(t, s.FullLoads+s.PartialLoads, int64(20), "status %+v", s)
}

func TestRefreshLoadsEarlierCommits(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d := f.directory(t, resolver.Config{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			slug := fmt.Sprintf("t%d", i)
			id := f.tenant(t, slug, slug+".example.com")
			err := d.Refresh(t.Context(), id)
			if assert.NoError(t, err, "%s is not there", slug) {
				assert.Equal(t, slug, slugOf(t, d, slug+".example.com"), "%s is not there", slug)
			}
			f.exec(t, "update domains set host = $2 where tenant_id = $1", id, "new-"+slug+".example.com")
			err = d.Refresh(t.Context())
			if assert.NoError(t, err, "%s has no new domain", slug) {
				assert.Equal(t, slug, slugOf(t, d, "new-"+slug+".example.com"), "%s has no new domain", slug)
			}
		})
	}
	wg.Wait()
	d.Close()
	assert.ErrorIs(t, d.Refresh(t.Context()), resolver.ErrClosed)
	assert.ErrorIs(t, d.Refresh(t.Context(), 1), resolver.ErrClosed)
	expectHosts(t, d, map[string]string{"new-t1.example.com": "t1", "t1.example.com": ""})
}

// A reconciliation loads everything periodically, and finds changes without a notification.
func TestReconcileFindsUnnotifiedChanges(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.tenant(t, "a", "a.example.com")
	d := f.directory(t, resolver.Config{Reconcile: 10 * time.Millisecond})
	require.NoError(t, pgx.BeginFunc(t.Context(), f.pg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "set local session_replication_role = replica") // no triggers
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "update public.domains set host = 'new.example.com' where tenant_id = $1", id)
		return err
	}))
	eventually(t, "the change", func() bool {
		return slugOf(t, d, "new.example.com") == "a" && slugOf(t, d, "a.example.com") == ""
	})
	s := d.Status()
	assert.Zero(t, s.Notifications, "status %+v", s)
}

func TestNewDirectoryFailsWithoutAFirstLoad(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := resolver.NewDirectory(ctx, f.db(t, nil), resolver.Config{})
	assert.ErrorIs(t, err, context.Canceled)
	trouble := errors.New("no such host")
	_, err = resolver.NewDirectory(t.Context(), f.db(t, nil), resolver.Config{
		Connect: func(context.Context) (*pgx.Conn, error) { return nil, trouble },
	})
	assert.ErrorIs(t, err, trouble)
	f.exec(t, "revoke select on tenants from "+pgx.Identifier{f.roles.Public()}.Sanitize())
	f.exec(t, "revoke select (id) on tenants from "+pgx.Identifier{f.roles.Public()}.Sanitize())
	_, err = resolver.NewDirectory(t.Context(), f.db(t, nil), resolver.Config{})
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr) {
		assert.Equal(t, "42501", pgErr.Code)
	}
}

// The ctx of NewDirectory governs only the first load. The schema in ctx is ignored.
func TestDirectoryOutlivesTheContextOfNewDirectory(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(schemactx.NewContext(t.Context(), "tenant_1"))
	d, err := resolver.NewDirectory(ctx, f.db(t, nil), resolver.Config{MissBurst: -1})
	require.NoError(t, err)
	defer d.Close()
	cancel()
	f.tenant(t, "a", "a.example.com")
	eventually(t, "the new tenant", func() bool { return slugOf(t, d, "a.example.com") == "a" })
	d.Close()
	d.Close()
	s := d.Status()
	assert.False(t, s.Connected, "status %+v", s)
	assert.ErrorIs(t, s.Err, resolver.ErrClosed, "status %+v", s)
}

// The goroutines of a directory carry the labels of the goroutine that opened it, which
// distinguishes them from those of other tests.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	f := setup(t)
	db := f.db(t, nil)
	const label = "the test of Close"
	var d *resolver.Directory
	pprof.Do(t.Context(), pprof.Labels("opened-by", label), func(ctx context.Context) {
		var err error
		d, err = resolver.NewDirectory(ctx, db, resolver.Config{})
		require.NoError(t, err)
	})
	running := func() bool {
		var all bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
		return strings.Contains(all.String(), label)
	}
	assert.True(t, running(), "the directory has no goroutines")
	d.Close()
	eventually(t, "the end of all goroutines", func() bool { return !running() })
}
