package console

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLoginRedirectsWithinTheSite(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/admin/tenants/schoola": "/admin/tenants/schoola", "": "/admin/", "/": "/admin/", "//evil.example/admin/": "/admin/",
		"https://evil.example/admin/": "/admin/", "/admin/\\evil": "/admin/", "javascript:alert(1)": "/admin/",
		"/admin/../..//evil.example": "/admin/", "/admin/%2e%2e/%5cevil": "/admin/", "/admin/./log": "/admin/./log",
	} {
		assert.Equal(t, want, inside(next), next)
	}
}

func FuzzInside(f *testing.F) {
	f.Add("/admin/%2e%2e/%2f")
	f.Add("//x/admin/")
	f.Fuzz(func(t *testing.T, next string) {
		got := inside(next)
		u, err := url.Parse(got)
		if assert.NoError(t, err, "%q redirects to %q", next, got) &&
			assert.Empty(t, u.Host, "%q redirects to %q", next, got) &&
			assert.True(t, strings.HasPrefix(got, "/admin/"), "%q redirects to %q", next, got) &&
			assert.NotContains(t, got, "\n", "%q redirects to %q", next, got) {
			assert.True(t, strings.HasPrefix(path.Clean(u.Path)+"/", "/admin/"), "%q redirects to %q", next, got)
		}
	})
}
