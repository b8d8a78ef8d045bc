package console

import (
	"net/url"
	"strings"
	"testing"
)

func TestWhoLogsInIsSentNowhereElse(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/admin/tenants/schoola": "/admin/tenants/schoola", "": "/admin/", "/": "/admin/", "//evil.example/admin/": "/admin/",
		"https://evil.example/admin/": "/admin/", "/admin/\\evil": "/admin/", "javascript:alert(1)": "/admin/",
	} {
		if got := inside(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func FuzzInside(f *testing.F) {
	f.Add("/admin/%2e%2e/%2f")
	f.Add("//x/admin/")
	f.Fuzz(func(t *testing.T, path string) {
		got := inside(path)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || !strings.HasPrefix(got, "/admin/") || strings.Contains(got, "\n") {
			t.Errorf("%q leads to %q", path, got)
		}
	})
}
