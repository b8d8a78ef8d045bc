package resolver_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
)

// Attacks 37 to 39 and 41.
func TestEveryFormOfAHostResolvesToOneTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "schoola.example.com")
	f.tenant(t, "buch", "xn--bcher-kva.example")
	f.tenant(t, "www", "www.example.org")
	f.tenant(t, "apex", "example.org")
	d := f.directory(t, resolver.Config{PublicHosts: []string{"Example.com", "127.0.0.1", "[::1]"}})
	expectHosts(t, d, map[string]string{
		"schoola.example.com":              "a",
		"SCHOOLA.example.com:8000":         "a",
		"schoola.example.com.":             "a",
		"schoola.example.com.:80":          "a",
		"bücher.example":                   "buch",
		"xn--bcher-kva.example":            "buch",
		"BÜCHER.example:80":                "buch",
		"XN--Bcher-KVA.example.":           "buch",
		"example.com":                      "public",
		"EXAMPLE.com:80":                   "public",
		"127.0.0.1:8000":                   "public",
		"[::1]":                            "public",
		"[0:0::1]:80":                      "public",
		"example.org":                      "apex",
		"www.example.org":                  "www",
		"nosuch.example.com":               "",
		"www.schoola.example.com":          "",
		"com":                              "",
		"localhost":                        "",
		"10.0.0.1":                         "",
		"[::2]:80":                         "",
		"www.example.com":                  "",
		"a":                                "",
		"xschoola.example.com":             "",
		"schoola.example.com.evil.example": "",
	})
	expectError(t, d, tenancy.ErrInvalidHost, "", "..", ".", "a b", "*.example.com", "*", "schoola.example.com\x00",
		"schoola.example.com..", "user@schoola.example.com", "schoola.example.com:http", "schoola.example.com/", "[::1",
		"[fe80::1%25eth0]", strings.Repeat("a.", 127)+"aa", "schoola.example.com\n", "schoola..example.com",
		"a,schoola.example.com", "1.2.3", strings.Repeat("x", 1<<20))
}

func TestSlugsHaveHostsUnderBaseDomains(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.com", "school-a.example")
	f.tenant(t, "b", "b.example.net")
	f.tenant(t, "xn--a", "c.example.net")
	id := f.tenant(t, "d", "d.example.net")
	d := f.directory(
		t,
		resolver.Config{PublicHosts: []string{"example.com"}, BaseDomains: []string{"Example.com.", "example.eu"}},
	)
	expectHosts(t, d, map[string]string{
		"a.example.com": "a", "A.example.eu:80": "a", "school-a.example": "a", "b.example.com": "b", "b.example.eu": "b",
		"b.example.net": "b", "d.example.com": "d", "c.example.net": "xn--a",
		"example.com": "public", "example.eu": "", "a.b.example.com": "", "c.example.com": "",
	})
	expectError(t, d, tenancy.ErrInvalidHost, "xn--a.example.com", "*.example.com")
	f.exec(t, "update tenants set slug = 'e' where id = $1", id)
	require.NoError(t, d.Refresh(t.Context(), id))
	expectHosts(t, d,
		map[string]string{"d.example.com": "", "e.example.com": "e", "e.example.eu": "e", "d.example.net": "e"})
}

func TestHostOfTwoTenantsIsAmbiguous(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.net")
	b := f.tenant(t, "b", "b.example.net", "a.example.com")
	f.tenant(t, "c", "c.example.com")
	f.tenant(t, "d", "example.com", "app.example.com")
	f.tenant(t, "app", "app.example.net")
	log := &lockedBuffer{}
	d := f.directory(t, resolver.Config{
		PublicHosts: []string{"example.com", "app.example.com"}, BaseDomains: []string{"example.com"},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	expectError(t, d, resolver.ErrAmbiguous, "a.example.com", "A.EXAMPLE.com:80")
	// A domain and a slug of the same tenant do not conflict. The public site takes precedence over
	// tenants.
	expectHosts(t, d, map[string]string{
		"c.example.com": "c", "b.example.com": "b", "a.example.net": "a", "d.example.com": "d",
		"example.com": "public", "app.example.com": "public", "app.example.net": "app",
	})
	assert.Equal(t, 3, d.Status().Conflicts, "hosts have conflicts")
	require.NoError(t, d.Refresh(t.Context()))
	f.exec(t, "update tenants set name = 'B' where id = $1", b)
	require.NoError(t, d.Refresh(t.Context(), b))
	for _, host := range []string{"host=a.example.com", "host=example.com", "host=app.example.com"} {
		n := strings.Count(log.String(), host+" ") + strings.Count(log.String(), host+"\n")
		assert.Equal(t, 1, n, "%s is logged %d times:\n%s", host, n, log)
	}

	f.exec(t, "delete from domains where host = 'a.example.com'")
	require.NoError(t, d.Refresh(t.Context(), b))
	expectHosts(t, d, map[string]string{"a.example.com": "a"})
	assert.Equal(t, 2, d.Status().Conflicts, "hosts have conflicts")
	// The conflict returns after a change of one of the two tenants.
	f.exec(t,
		"insert into domains (tenant_id, host, is_primary, verified_at) values ($1, 'a.example.com', false, now())", b)
	require.NoError(t, d.Refresh(t.Context(), b))
	expectError(t, d, resolver.ErrAmbiguous, "a.example.com")
}

func TestWWWIsTheBareHostIfConfigured(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.net")
	f.tenant(t, "b", "b.example.net")
	f.tenant(t, "own", "www.b.example.net")
	f.tenant(t, "www", "c.example.net")
	cfg := resolver.Config{PublicHosts: []string{"example.com"}, BaseDomains: []string{"example.com"}}
	expectHosts(t, f.directory(t, cfg), map[string]string{
		"a.example.net":     "a",
		"www.a.example.net": "",
		"www.a.example.com": "",
		"www.example.com":   "www",
		"www.b.example.net": "own",
	})
	cfg.WWW = resolver.WWWSame
	d := f.directory(t, cfg)
	expectHosts(t, d, map[string]string{
		"a.example.net":         "a",
		"www.a.example.net":     "a",
		"WWW.a.example.net:80":  "a",
		"www.a.example.com":     "a",
		"www.b.example.net":     "own",
		"www.example.com":       "public",
		"www.www.a.example.net": "",
		"www.nosuch.example":    "",
		"www.net":               "",
		"c.example.net":         "www",
	})
	expectError(t, d, tenancy.ErrInvalidHost, "www.10.0.0.1", "www..example.com")
}

func TestInvalidConfigurationsAreRefused(t *testing.T) {
	t.Parallel()
	db := setup(t).db(t, nil)
	for name, cfg := range map[string]resolver.Config{
		"wildcard":          {PublicHosts: []string{"*.example.com"}},
		"wildcard base":     {BaseDomains: []string{"*.example.com"}},
		"address as base":   {BaseDomains: []string{"127.0.0.1"}},
		"empty base":        {BaseDomains: []string{""}},
		"www":               {WWW: 7},
		"negative interval": {Reconcile: -1},
		"endless interval":  {KeepAlive: 1 << 62},
	} {
		d, err := resolver.NewDirectory(t.Context(), db, cfg)
		var field *tenancy.FieldError
		assert.Nil(t, d, "%s: %v", name, err)
		assert.ErrorAs(t, err, &field, name)
	}
	_, err := resolver.NewDirectory(t.Context(), nil, resolver.Config{})
	assert.Error(t, err, "no error without a database")
}

func TestRowsWithInvalidHostsAreIgnored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenant(t, "a", "a.example.net", "b.example.net.", "c.example.net:80", "d..example", "xn--a.example", "*.example")
	d := f.directory(t, resolver.Config{})
	expectHosts(
		t,
		d,
		map[string]string{
			"a.example.net":    "a",
			"b.example.net.":   "",
			"b.example.net":    "",
			"c.example.net:80": "",
			"e.example":        "",
		},
	)
	expectError(t, d, tenancy.ErrInvalidHost, "d..example", "xn--a.example", "*.example")
}

func TestResolveDoesNotAllocate(t *testing.T) {
	f := setup(t)
	f.tenant(t, "a", "schoola.example.com")
	d := f.directory(t, resolver.Config{PublicHosts: []string{"example.com"}, WWW: resolver.WWWSame})
	for _, host := range []string{
		"schoola.example.com", "example.com", "schoola.example.com:8000", "www.schoola.example.com", "nobody.example.com",
		"www.nobody.example.com:80",
	} {
		n := testing.AllocsPerRun(100, func() { _, _ = d.Resolve(t.Context(), host) })
		assert.Zero(t, n, "%q: %v allocations, want 0", host, n)
	}
}
