package resolver_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
)

func TestDirectoryAnswersWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.tenant(t, "a", "a.example.com")
	b := f.tenant(t, "b", "b.example.com")
	p, url := newProxy(t, f)
	d := open(t, f.dbAt(t, url, nil), resolver.Config{MissBurst: 1000, MissTimeout: time.Minute})
	p.drop(true)
	eventually(t, "the loss of the connection", func() bool { s := d.Status(); return !s.Connected && s.Err != nil })

	f.exec(
		t,
		"with d as (update domains set tenant_id = $2, is_primary = false where tenant_id = $1) "+
			"delete from tenants where id = $1",
		a,
		b,
	)
	f.tenant(t, "c", "c.example.com")
	// There are tokens, but no database: a request that waited would wait for a minute.
	expectHosts(t, d,
		map[string]string{"a.example.com": "a", "b.example.com": "b", "c.example.com": "", "nobody.example.com": ""})
	before := d.Status().Current

	p.drop(false)
	eventually(t, "what has changed meanwhile", func() bool {
		return slugOf(t, d, "a.example.com") == "b" && slugOf(t, d, "c.example.com") == "c"
	})
	eventually(t, "the connection", func() bool {
		s := d.Status()
		return s.Connected && s.Err == nil && s.Reconnects == 1 && s.Current.After(before)
	})
	f.exec(t, "update domains set host = 'new.example.com' where host = 'c.example.com'")
	eventually(t, "a change on the new connection", func() bool { return slugOf(t, d, "new.example.com") == "c" })
}

// A connection that silently stops delivering data is detected by its keep-alive.
func TestSilentConnectionIsClosed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.com")
	p, url := newProxy(t, f)
	d := open(t, f.dbAt(t, url, nil), resolver.Config{
		KeepAlive: 200 * time.Millisecond, LoadTimeout: 10 * time.Second, MissBurst: 1000, MissTimeout: 50 * time.Millisecond,
	})
	p.hold()
	f.tenant(t, "b", "b.example.com")
	// the second host waits at most for its timeout
	expectHosts(t, d, map[string]string{"a.example.com": "a", "b.example.com": ""})
	eventually(t, "the loss of the connection", func() bool { return !d.Status().Connected })
	p.drop(false)
	p.resume()
	eventually(t, "the new tenant", func() bool { return slugOf(t, d, "b.example.com") == "b" })
}

// Status stays current while the connection answers, even if nothing is loaded.
func TestStatusIsCurrentWhileNothingChanges(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p, url := newProxy(t, f)
	d := open(t, f.dbAt(t, url, nil), resolver.Config{KeepAlive: 100 * time.Millisecond})
	first := d.Status()
	eventually(t, "a later time of being current", func() bool { return d.Status().Current.After(first.Current) })
	s := d.Status()
	if assert.Equal(t, int64(1), s.FullLoads, "status %+v", s) && assert.Zero(t, s.PartialLoads, "status %+v", s) {
		assert.Positive(t, s.Staleness(), "status %+v", s)
	}
	p.drop(true)
	eventually(t, "the loss of the connection", func() bool { return !d.Status().Connected })
	gone := d.Status()
	assert.Equal(t, gone.Current, d.Status().Current, "Current advances without a connection")
}

// Attack 43. Three unknown hosts may be looked up, and no further tokens arrive within the hour.
func TestManyUnknownHostsCauseFewQueries(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.com")
	var queries counter
	d := open(t, f.db(t, &queries), resolver.Config{MissBurst: 3, MissInterval: time.Hour})
	before := queries.n.Load()
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			for i := range 5_000 {
				host := fmt.Sprintf("nobody-%d-%d.example.com", g, i)
				_, err := d.Resolve(t.Context(), host)
				assert.ErrorIs(t, err, tenancy.ErrUnknownHost, host)
				if i%100 == 0 {
					assert.Equal(t, "a", slugOf(t, d, "a.example.com"), "a known host is not found")
				}
			}
		})
	}
	wg.Wait()
	n := queries.n.Load() - before
	assert.GreaterOrEqual(t, n, int64(1), "%d queries", n)
	assert.LessOrEqual(t, n, int64(3), "%d queries", n)
	_, err := d.Resolve(t.Context(), "nobody.example.com")
	//nolint:errorlint // the error is the sentinel itself, without an allocation
	assert.True(t, err == tenancy.ErrUnknownHost, "got %v", err)
}

// A host without a notification is found by the first request for it. Concurrent requests share the
// query.
func TestUnknownHostIsLookedUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var queries counter
	d := open(t, f.db(t, &queries),
		resolver.Config{MissBurst: 1, MissInterval: time.Hour, MissTimeout: time.Minute, WWW: resolver.WWWSame})
	f.exec(t, "alter table domains disable trigger user")
	f.exec(t, "alter table tenants disable trigger user")
	f.tenant(t, "a", "a.example.com", "b.example.com")
	before := queries.n.Load()
	expectHosts(t, d, map[string]string{"WWW.A.example.com:80": "a"})
	expectHosts(t, d, map[string]string{"b.example.com": "a"}) // found by the same query
	assert.Equal(t, int64(1), queries.n.Load()-before, "queries")
	f.tenant(t, "c", "c.example.com")
	expectHosts(t, d, map[string]string{"c.example.com": ""}) // no token is left
}

func TestUnknownHostUnderABaseDomainIsLookedUpBySlug(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d := open(t, f.db(t, nil), resolver.Config{
		BaseDomains: []string{
			"example.com",
			"example.net",
		},
		MissBurst:    10,
		MissInterval: time.Hour,
		MissTimeout:  time.Minute,
		WWW:          resolver.WWWSame,
	})
	f.exec(t, "alter table domains disable trigger user")
	f.exec(t, "alter table tenants disable trigger user")
	for slug, host := range map[string]string{"a": "a.example.com", "b": "b.example.net", "c": "www.c.example.net"} {
		f.tenant(t, slug, slug+".example.org")
		expectHosts(t, d, map[string]string{host: slug})
	}
	expectHosts(t, d, map[string]string{"x.a.example.com": "", "a.example.edu": "", "nobody.example.com": ""})
}

func TestDirectoryBeforeInitIsAnError(t *testing.T) {
	t.Parallel()
	f := setup(t)
	_, err := f.pg.Pool.Exec(t.Context(), "drop table public.tenants cascade")
	require.NoError(t, err)
	_, err = resolver.NewDirectory(t.Context(), f.db(t, nil), resolver.Config{})
	assert.ErrorIs(t, err, tenancy.ErrNotInitialized, "the error")
}
