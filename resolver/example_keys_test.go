package resolver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// On the platform's host a path names the tenant, and on every host a header may name it too. All
// keys of a request must agree.
func ExampleNewKeys() {
	p, done := newPlatform()
	defer done()
	ctx := context.Background()
	if _, err := p.Tenants.Create(ctx, tenancy.CreateParams{Slug: "schoolb", Domain: "schoolb.example.com"}); err != nil {
		fmt.Println(err)
		return
	}
	hosts, err := resolver.NewDirectory(ctx, p.DB, resolver.Config{PublicHosts: []string{"example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hosts.Close()
	keys := resolver.NewKeys(resolver.TenantHost(hosts.Resolve), resolver.PathPrefix("/t/", hosts.ResolveSlug),
		resolver.Header("X-Tenant", hosts.ResolveSlug))
	h := tenanthttp.Handler(keys, tenanthttp.Routes{Tenant: http.HandlerFunc(hello)})
	get := func(url, tenant string) {
		r := httptest.NewRequest(http.MethodGet, url, nil)
		if tenant != "" {
			r.Header.Set("X-Tenant", tenant)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	get("http://schoola.example.com/students", "")
	get("http://example.com/t/schoola/students", "schoola")
	get("http://schoola.example.com/t/schoola/students", "schoolb")

	// Output:
	// 200 schoola /students
	// 200 schoola /students
	// 400 {"title":"Ambiguous request","status":400,"detail":"The request names more than one site."}
}
