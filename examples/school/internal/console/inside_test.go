package console

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

func TestWhoLogsInIsSentNowhereElse(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/admin/tenants/schoola": "/admin/tenants/schoola", "": "/admin/", "/": "/admin/", "//evil.example/admin/": "/admin/",
		"https://evil.example/admin/": "/admin/", "/admin/\\evil": "/admin/", "javascript:alert(1)": "/admin/",
		"/admin/../..//evil.example": "/admin/", "/admin/%2e%2e/%5cevil": "/admin/", "/admin/./log": "/admin/./log",
	} {
		if got := inside(next); got != want {
			t.Errorf("%s: %s", next, got)
		}
	}
}

func FuzzInside(f *testing.F) {
	f.Add("/admin/%2e%2e/%2f")
	f.Add("//x/admin/")
	f.Fuzz(func(t *testing.T, next string) {
		got := inside(next)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || !strings.HasPrefix(got, "/admin/") || strings.Contains(got, "\n") ||
			!strings.HasPrefix(path.Clean(u.Path)+"/", "/admin/") {
			t.Errorf("%q leads to %q", next, got)
		}
	})
}
