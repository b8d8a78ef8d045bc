package erp_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// fixture has two schools behind the whole stack: hosts, handler, scopes, roles.
type fixture struct {
	env     *tenancytest.Environment
	db      *schemactx.DB
	hosts   *resolver.Directory
	a, b    *tenancytest.Tenant
	signer  *tenanttoken.Signer
	handler http.Handler
	admin   http.Handler // handler with the session of an admin of the requested school

	t    testing.TB
	seen sync.Map // the operations and statuses that have occurred
}

func setup(t testing.TB) *fixture {
	t.Helper()
	env, err := tenancytest.Open(t.Context(), pgtest.New(t).URL, tenancytest.Config{
		Tenant: []migrate.Source{{Name: "erp", FS: erp.Migrations()}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, env.Close(context.Background())) })
	f := &fixture{env: env, db: env.DB, t: t}
	f.hosts, err = resolver.NewDirectory(t.Context(), f.db, resolver.Config{PublicHosts: []string{"example.com"}})
	require.NoError(t, err)
	t.Cleanup(f.hosts.Close)
	f.signer = newSigner(t)
	f.handler = f.serve(erp.Handler(f.db, erp.HandlerConfig{Signer: f.signer}))
	env.Handler, env.Resolver = f.handler, f.hosts
	f.a, f.b = env.Tenant(t), env.Tenant(t)
	f.admin = f.as(t, erp.RoleAdmin)
	return f
}

// serve serves a handler on the tenants' hosts. It compares each answer with the OpenAPI document.
func (f *fixture) serve(h http.Handler) http.Handler {
	c, err := theContract()
	require.NoError(f.t, err)
	h = c.hold(f.t, h, func(operation, status string) { f.seen.Store(operation+" "+status, true) })
	return tenanthttp.Handler(f.hosts, tenanthttp.Routes{Tenant: h})
}

// students counts the rows of both schools.
func (f *fixture) students(t testing.TB) (counts [2]int) {
	t.Helper()
	for i, school := range []*tenancytest.Tenant{f.a, f.b} {
		require.NoError(t, f.db.QueryRow(school.Context(), "select count(*) from students").Scan(&counts[i]))
	}
	return counts
}

func newSigner(t testing.TB) *tenanttoken.Signer {
	t.Helper()
	signer, err := tenanttoken.NewSigner(bytes.Repeat([]byte{1}, tenanttoken.MinKeyLen))
	require.NoError(t, err)
	return signer
}
