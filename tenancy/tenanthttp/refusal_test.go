package tenanthttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// active returns a tenant that is served.
func active(id int64, slug string) *tenancy.Tenant {
	return &tenancy.Tenant{ID: id, Schema: "tenant_" + slug, Slug: slug, Status: tenancy.Active}
}

// inStatus resolves every host to a tenant with the status.
func inStatus(status tenancy.Status, change ...func(*tenancy.Tenant)) tenanthttp.Resolver {
	t := active(7, "a")
	t.Status = status
	for _, c := range change {
		c(t)
	}
	return tenanthttp.ResolverFunc(
		func(context.Context, string) (tenanthttp.Target, error) { return tenanthttp.TenantTarget(t), nil },
	)
}

func failing(err error) tenanthttp.Resolver {
	return tenanthttp.ResolverFunc(
		func(context.Context, string) (tenanthttp.Target, error) { return tenanthttp.Target{}, err },
	)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	reason := func(t *tenancy.Tenant) { t.Reason = "Unpaid since <May>." }
	for name, c := range map[string]struct {
		resolver tenanthttp.Resolver
		status   int
		detail   string
	}{
		"suspended":            {inStatus(tenancy.Suspended), 403, "This site is suspended."},
		"suspended, and why":   {inStatus(tenancy.Suspended, reason), 403, "Unpaid since <May>."},
		"maintenance":          {inStatus(tenancy.Maintenance), 503, "This site is being worked on."},
		"maintenance, and why": {inStatus(tenancy.Maintenance, reason), 503, "Unpaid since <May>."},
		"provisioning":         {inStatus(tenancy.Provisioning, reason), 503, "This site is being set up."},
		"dropping":             {inStatus(tenancy.Dropping, reason), 404, "There is no site at this host."},
		"stocked":              {inStatus(tenancy.Stocked), 404, "There is no site at this host."},
		"no status":            {inStatus(""), 404, "There is no site at this host."},
		"unknown status":       {inStatus("archived", reason), 404, "There is no site at this host."},
		"unknown host": {
			failing(fmt.Errorf("x: %w", tenancy.ErrUnknownHost)), 404, "There is no site at this host.",
		},
		"two names": {
			failing(fmt.Errorf("x: %w", tenancy.ErrAmbiguousTenant)), 400, "The request names more than one site.",
		},
		"not a host": {
			failing(fmt.Errorf("x: %w", tenancy.ErrInvalidHost)), 400, "The request's host is not valid.",
		},
		"a claim that is wrong": {failing(fmt.Errorf("x: %w", tenanttoken.ErrBadToken)), 401, "Sign in again."},
		"a claim that is over":  {failing(fmt.Errorf("x: %w", tenanttoken.ErrTokenExpired)), 401, "Sign in again."},
		"trouble":               {failing(errors.New("two tenants have the host")), 503, "Try again soon."},
		"no site of that kind":  {inStatus(tenancy.Active), 404, "There is nothing at this address."},
	} {
		p := expectProblem(t, name, get(tenanthttp.Handler(c.resolver, tenanthttp.Routes{}), "a.example.com"), c.status)
		assert.Equal(t, c.detail, p.Detail, name)
	}
}

func TestResolverFailuresAreLoggedAndClientErrorsAreNot(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		errors.New("two tenants have the host"): true, tenancy.ErrUnknownHost: false, tenancy.ErrInvalidHost: false,
		tenancy.ErrAmbiguousTenant: false,
	} {
		var log bytes.Buffer
		get(
			tenanthttp.Handler(failing(err), tenanthttp.Routes{Logger: slog.New(slog.NewTextHandler(&log, nil))}),
			"a.example.com",
		)
		assert.Equal(t, want,
			strings.Contains(log.String(), err.Error()) && strings.Contains(log.String(), "host=a.example.com"),
			"%v: log %q", err, log.String())
	}
}

func TestMaintenanceHasRetryAfter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		until    time.Time
		min, max int
	}{
		"unknown end":  {time.Time{}, 30, 30},
		"over already": {time.Now().Add(-time.Hour), 30, 30},
		"soon":         {time.Now().Add(10 * time.Minute), 590, 600},
		"in a week":    {time.Now().Add(7 * 24 * time.Hour), 3600, 3600},
		"never":        {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 3600, 3600},
		"very soon":    {time.Now().Add(time.Minute), 1, 60},
	} {
		h := tenanthttp.Handler(
			inStatus(tenancy.Maintenance, func(t *tenancy.Tenant) { t.Until = c.until }),
			tenanthttp.Routes{},
		)
		res := get(h, "a.example.com")
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		assert.NoError(t, err, name)
		assert.GreaterOrEqual(t, seconds, c.min, name)
		assert.LessOrEqual(t, seconds, c.max, name)
	}
}

func TestBypassAppliesToMaintenanceOnly(t *testing.T) {
	t.Parallel()
	asked := 0
	routes := tenanthttp.Routes{Tenant: say("tenant"), Bypass: func(r *http.Request, tenant *tenancy.Tenant) bool {
		asked++
		_, scoped := schemactx.FromContext(r.Context())
		assert.False(t, scoped, "Bypass got a context with a schema")
		assert.Equal(t, "a", tenant.Slug)
		return r.Header.Get("X-Operator") == "yes"
	}}
	for status, want := range map[tenancy.Status][2]int{
		tenancy.Maintenance: {200, 503}, tenancy.Suspended: {403, 403}, tenancy.Dropping: {404, 404},
		tenancy.Provisioning: {503, 503}, "archived": {404, 404},
	} {
		for i, operator := range []string{"yes", "no"} {
			r := httptest.NewRequest(http.MethodGet, "http://a.example.com/", nil)
			r.Header.Set("X-Operator", operator)
			w := httptest.NewRecorder()
			tenanthttp.Handler(inStatus(status), routes).ServeHTTP(w, r)
			assert.Equal(t, want[i], w.Code, "%s, operator %s: %d %s", status, operator, w.Code, w.Body)
			assert.Equal(t, w.Body.String() == "tenant tenant_a a", w.Code == 200,
				"%s, operator %s: %d %s", status, operator, w.Code, w.Body)
		}
	}
	assert.Equal(t, 2, asked, "asked %d times, for other statuses too", asked)
}

func TestRefuseOfTheRoutes(t *testing.T) {
	t.Parallel()
	var got []tenanthttp.Refusal
	routes := tenanthttp.Routes{
		Refuse: func(w http.ResponseWriter, r *http.Request, refusal tenanthttp.Refusal) {
			_, scoped := schemactx.FromContext(r.Context())
			assert.False(t, scoped, "%v: a schema is in the context", refusal.Err)
			got = append(got, refusal)
			if refusal.Problem.Status == http.StatusForbidden {
				w.WriteHeader(http.StatusPaymentRequired)
				_, _ = io.WriteString(w, "<h1>"+refusal.Tenant.Slug+"</h1>")
				return
			}
			refusal.Problem.Respond(w)
		},
	}
	res := get(tenanthttp.Handler(inStatus(tenancy.Suspended), routes), "a.example.com")
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusPaymentRequired, res.StatusCode, "%d %q %v", res.StatusCode, body, res.Header)
	assert.Equal(t, "<h1>a</h1>", string(body), res.Header)
	assert.Equal(t, "no-store", res.Header.Get("Cache-Control"), res.Header)
	expectProblem(
		t,
		"unknown",
		get(tenanthttp.Handler(failing(tenancy.ErrUnknownHost), routes), "b.example.com"),
		http.StatusNotFound,
	)
	var inactive *tenancy.InactiveError
	if assert.Len(t, got, 2, "refusals") &&
		assert.ErrorAs(t, got[0].Err, &inactive, "refusals") &&
		assert.Equal(t, tenancy.Suspended, inactive.Status, "refusals") &&
		assert.Equal(t, int64(7), got[0].Tenant.ID, "refusals") &&
		assert.ErrorIs(t, got[1].Err, tenancy.ErrUnknownHost, "refusals") {
		assert.Nil(t, got[1].Tenant, "refusals")
	}
}

// Middlewares behind the handler refuse in the same way at every position.
func TestMiddlewaresRefuseWithRefuseOfTheRoutes(t *testing.T) {
	t.Parallel()
	refused := func(err error) http.Handler {
		return http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) { tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: err}) },
		)
	}
	own := func(w http.ResponseWriter, _ *http.Request, refusal tenanthttp.Refusal) {
		slug := "nobody"
		if refusal.Tenant != nil {
			slug = refusal.Tenant.Slug
		}
		w.WriteHeader(refusal.Problem.Status)
		_, _ = fmt.Fprintf(w, "%s: %v", slug, refusal.Err)
	}
	deeper := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(tenancy.NewContext(r.Context(), active(8, "b"))))
		})
	}
	for want, h := range map[string]http.Handler{
		"403 a: belongs to another tenant": refused(tenanttoken.ErrForeignTenant),
		"401 a: no session":                refused(tenanthttp.ErrNoSession),
		"404 a: no such site":              tenanthttp.RequirePublic(say("public")),
		"503 a: limit":                     refused(errors.New("limit")),
		"404 b: no such site":              deeper(tenanthttp.RequirePublic(say("public"))),
	} {
		w := httptest.NewRecorder()
		tenanthttp.Handler(inStatus(tenancy.Active), tenanthttp.Routes{Tenant: h, Refuse: own}).
			ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		got := fmt.Sprint(w.Code, " ", w.Body)
		assert.Equal(t, want, got, w.Header())
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"), w.Header())
	}
	w := httptest.NewRecorder() // without a Handler the answer is the problem
	refused(
		&tenancy.InactiveError{Slug: "a", Status: tenancy.Suspended, Reason: "why"},
	).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	p := expectProblem(t, "no handler", w.Result(), http.StatusForbidden)
	assert.Equal(t, "why", p.Detail, "problem %+v", p)
}

func TestRefusalsAreNotCached(t *testing.T) {
	t.Parallel()
	eager := func(next http.Handler) http.Handler { // a middleware in front that allows caching
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=3600")
			w.Header().Set("Content-Length", "5")
			next.ServeHTTP(w, r)
		})
	}
	for _, resolver := range []tenanthttp.Resolver{
		inStatus(tenancy.Suspended), inStatus(tenancy.Maintenance), inStatus(tenancy.Active), inStatus("archived"),
		failing(tenancy.ErrUnknownHost), failing(tenancy.ErrInvalidHost), failing(errors.New("trouble")),
	} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "DELETE"} {
			server := httptest.NewServer(eager(tenanthttp.Handler(resolver, tenanthttp.Routes{})))
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
			require.NoError(t, err)
			res, err := server.Client().Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			res.Body.Close()
			server.Close()
			assert.Equal(t, "no-store", res.Header.Get("Cache-Control"),
				"%s: %d %v %q", method, res.StatusCode, res.Header, body)
			assert.Equal(t, method == "HEAD", len(body) == 0, "%s: %d %v %q", method, res.StatusCode, res.Header, body)
			assert.GreaterOrEqual(t, res.StatusCode, 400, "%s: %d %v %q", method, res.StatusCode, res.Header, body)
		}
	}
}

func TestRequireSeparatesTheSitesInOneMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("/t", tenanthttp.RequireTenant(say("tenant")))
	mux.Handle("/p", tenanthttp.RequirePublic(say("public")))
	mux.Handle("/", say("both"))
	sites := map[string]http.Handler{
		"none":   mux,
		"tenant": tenanthttp.Handler(inStatus(tenancy.Active), tenanthttp.Routes{Public: mux, Tenant: mux}),
		"public": tenanthttp.Handler(tenanthttp.ResolverFunc(func(context.Context, string) (tenanthttp.Target, error) {
			return tenanthttp.PublicTarget(), nil
		}), tenanthttp.Routes{Public: mux, Tenant: mux}),
		"system work": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(w, r.WithContext(schemactx.NewPublicContext(r.Context())))
		}),
	}
	for site, served := range map[string]map[string]int{
		"none":        {"/t": 404, "/p": 404, "/": 200},
		"tenant":      {"/t": 200, "/p": 404, "/": 200},
		"public":      {"/t": 404, "/p": 200, "/": 200},
		"system work": {"/t": 404, "/p": 404, "/": 200}, // the public schema is not the public site
	} {
		for path, status := range served {
			w := httptest.NewRecorder()
			sites[site].ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			assert.Equal(t, status, w.Code, "%s, %s", site, path)
			if status == 404 {
				expectProblem(t, site, w.Result(), 404)
			}
		}
	}
}

// A context has the values of the innermost constructor.
func TestContextsNest(t *testing.T) {
	t.Parallel()
	expect := func(ctx context.Context, slug, schema string, public bool) {
		t.Helper()
		got := ""
		if tenant, ok := tenancy.FromContext(ctx); ok {
			got = tenant.Slug
		}
		in, _ := schemactx.FromContext(ctx)
		assert.Equal(t, slug, got, "tenant")
		assert.Equal(t, schema, in, "schema")
		assert.Equal(t, public, tenancy.IsPublic(ctx), "public")
	}
	a := tenancy.NewContext(t.Context(), active(1, "a"))
	b := tenancy.NewContext(a, active(2, "b"))
	p := tenancy.NewPublicContext(b)
	expect(t.Context(), "", "", false)
	expect(a, "a", "tenant_a", false)
	expect(b, "b", "tenant_b", false)
	expect(p, "", "public", true)
	expect(tenancy.NewContext(p, active(1, "a")), "a", "tenant_a", false)
	expect(a, "a", "tenant_a", false)
	child, cancel := context.WithCancel(b)
	expect(child, "b", "tenant_b", false)
	cancel()
	if assert.Error(t, child.Err(), "the child was canceled") {
		assert.NoError(t, b.Err(), "the child's cancellation canceled its parent")
	}
}

// Without a handler for a kind of site, Refuse answers. Its context has no schema, but it knows the
// tenant of the host.
func TestTheContextOfARefusalHasNoSchema(t *testing.T) {
	t.Parallel()
	hosts := byHost{"example.com": tenanthttp.PublicTarget(), "a.example.com": tenanthttp.TenantTarget(active(7, "a"))}
	for host := range hosts {
		asked := false
		h := tenanthttp.Handler(
			hosts,
			tenanthttp.Routes{Refuse: func(w http.ResponseWriter, r *http.Request, refusal tenanthttp.Refusal) {
				asked = true
				_, scoped := schemactx.FromContext(r.Context())
				if assert.False(t, scoped, "%s: schema %t, %+v", host, scoped, refusal) &&
					assert.ErrorIs(t, refusal.Err, tenanthttp.ErrNoSite, "%s: schema %t, %+v", host, scoped, refusal) {
					assert.Same(t, hosts[host].Tenant(), refusal.Tenant, "%s: schema %t, %+v", host, scoped, refusal)
				}
				refusal.Problem.Respond(w)
			}},
		)
		expectProblem(t, host, get(h, host), http.StatusNotFound)
		assert.True(t, asked, "%s: not asked", host)
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{
		-time.Second: "", 0: "", 1: "1", time.Second: "1", time.Second + 1: "2", math.MaxInt64: "9223372037",
	} {
		w := httptest.NewRecorder()
		tenanthttp.Problem{RetryAfter: after}.Respond(w)
		assert.Equal(t, want, w.Header().Get("Retry-After"), "%d ns", after)
	}
}

func TestAdmitRefusesActiveTenants(t *testing.T) {
	t.Parallel()
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	routes := func(err error) tenanthttp.Routes {
		return tenanthttp.Routes{
			Tenant: served, Bypass: func(*http.Request, *tenancy.Tenant) bool { return true },
			Admit: func(_ context.Context, tenant *tenancy.Tenant) error {
				assert.Equal(t, "a", tenant.Slug, "asked for %+v", tenant)
				return err
			},
		}
	}
	secret := errors.New("column secret does not exist")
	why := fmt.Errorf(
		"x: %w",
		&tenancy.QuarantineError{Slug: "a", Schema: "tenant_a", Reason: "failed", RetryAfter: 7 * time.Second, Err: secret},
	)
	for _, status := range []tenancy.Status{tenancy.Active, tenancy.Maintenance} { // the latter with a bypass
		w := get(tenanthttp.Handler(inStatus(status), routes(why)), "a.example.com")
		p := expectProblem(t, "quarantine", w, 503)
		assert.Equal(t, tenanthttp.ProblemQuarantined, p.Type)
		assert.Equal(t, "7", w.Header.Get("Retry-After"))
		assert.NotContains(t, p.Detail+p.Title, "secret")
		w = get(tenanthttp.Handler(inStatus(status), routes(nil)), "a.example.com")
		assert.Equal(t, http.StatusOK, w.StatusCode, "admitted")
	}
	var log bytes.Buffer
	r := routes(secret)
	r.Logger = slog.New(slog.NewTextHandler(&log, nil))
	p := expectProblem(t, "another error", get(tenanthttp.Handler(inStatus(tenancy.Active), r), "a.example.com"), 503)
	assert.Empty(t, p.Type, "%+v, log %q", p, log.String())
	assert.Contains(t, log.String(), "secret", "%+v, log", p)
	err := error(why)
	if assert.ErrorIs(t, err, secret) {
		assert.Contains(t, err.Error(), "quarantine")
	}
}
