package tenancy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestNormalizeHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"schoola.example.com":      "schoola.example.com",
		"SchoolA.Example.COM":      "schoola.example.com",
		"schoola.example.com:8000": "schoola.example.com",
		"schoola.example.com.":     "schoola.example.com",
		"schoola.example.com.:80":  "schoola.example.com",
		"schoola.example.com:":     "schoola.example.com",
		"localhost":                "localhost",
		"127.0.0.1":                "127.0.0.1",
		"127.0.0.1:8000":           "127.0.0.1",
		"[::1]":                    "::1",
		"[::1]:8000":               "::1",
		"::1":                      "::1",
		"[2001:DB8::0:1]":          "2001:db8::1",
		"[::ffff:127.0.0.1]:80":    "127.0.0.1",
		"a--b.example":             "a--b.example",
		"AB--C.example:80":         "ab--c.example", // only lower-cased; IDNA would refuse it
		"1.example":                "1.example",
		"bücher.example":           "xn--bcher-kva.example",
		"BÜCHER.example":           "xn--bcher-kva.example",
		"xn--bcher-kva.example":    "xn--bcher-kva.example",
		"XN--BCHER-KVA.example":    "xn--bcher-kva.example",
	} {
		got, err := tenancy.NormalizeHost(host)
		assert.NoError(t, err, "NormalizeHost(%q)", host)
		assert.Equal(t, want, got, "NormalizeHost(%q)", host)
	}
}

func TestNormalizeHostRefuses(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	for _, host := range []string{
		"", ".", "..", ":80", "a..b", ".a", "a.b..", "*.example.com", "*", "a b", "a\x00b", "a\nb",
		"a_b.example", "-a.example", "a-.example", "user@example.com", "http://example.com", "example.com/",
		"a,b", "a;b", `a"b`, "a%00b", "[::1", "::1]", "[127.0.0.1]", "[fe80::1%25eth0]", "fe80::1%eth0",
		"example.com:http", "example.com:99999", "example.com:0", "example.com:+1", "example.com:80:80", "[::1]x", "[::1]:x",
		"1.2.3", "999.1.1.1", "xn--a", "xn--", "xn--bcher-kv\xffa.example",
		"a.-b.example", "a.b-.example", "a.1", "A.1", "a.b-", "\u212a.xn--a.example",
		label + "a.example", label + "." + label + "." + label + "." + label + ".a",
	} {
		got, err := tenancy.NormalizeHost(host)
		var field *tenancy.FieldError
		if assert.ErrorIs(t, err, tenancy.ErrInvalidHost, "NormalizeHost(%q) = %q", host, got) &&
			assert.ErrorAs(t, err, &field, "NormalizeHost(%q) = %q", host, got) {
			assert.Equal(t, host, field.Value, "NormalizeHost(%q) = %q", host, got)
		}
	}
}

// A header may be a megabyte long. Its refusal must be fast, and the error must not contain all of
// it.
func TestNormalizeHostRefusesHugeHost(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		strings.Repeat("ü", 1<<20), strings.Repeat("a.", 1<<20), strings.Repeat("xn--", 1<<18),
		"[" + strings.Repeat(":", 1<<20), "a:" + strings.Repeat("1", 1<<20), "::1%" + strings.Repeat("a", 1<<20),
	} {
		_, err := tenancy.NormalizeHost(host)
		if assert.ErrorIs(t, err, tenancy.ErrInvalidHost, "a host of %d bytes", len(host)) {
			assert.LessOrEqual(t, len(err.Error()), 4096, "a host of %d bytes", len(host))
		}
	}
}

func TestNormalizeHostDoesNotAllocate(t *testing.T) {
	for _, host := range []string{"schoola.example.com", "schoola.example.com:8000"} {
		n := testing.AllocsPerRun(100, func() { _, _ = tenancy.NormalizeHost(host) })
		assert.Zero(t, n, "allocations for %q", host)
	}
}

// FuzzNormalizeHost checks that NormalizeHost is idempotent and ignores a port.
func FuzzNormalizeHost(f *testing.F) {
	for _, seed := range []string{"a.example:80", "[::1]:1", "bücher.example", "..", "xn--bcher-kva.example.", "1.2.3.4"} {
		f.Add(seed)
		f.Add("a-1." + seed + ".school-1.example.com")
	}
	f.Fuzz(func(t *testing.T, host string) {
		normal, err := tenancy.NormalizeHost(host)
		if !strings.ContainsAny(host, ":[") { // a host with a port takes the slow path
			slow, slowErr := tenancy.NormalizeHost(host + ":80")
			require.Equal(t, normal, slow, "NormalizeHost(%q) = %q, %v; with a port %q, %v", host, normal, err, slow, slowErr)
			require.Equal(t, err == nil, slowErr == nil,
				"NormalizeHost(%q) = %q, %v; with a port %q, %v", host, normal, err, slow, slowErr)
		}
		if err != nil {
			require.ErrorIs(t, err, tenancy.ErrInvalidHost, "NormalizeHost(%q)", host)
			return
		}
		again, err := tenancy.NormalizeHost(normal)
		require.NoError(t, err, "NormalizeHost(%q) = %q, and of that %q", host, normal, again)
		require.Equal(t, normal, again, "NormalizeHost(%q) = %q, and of that %q", host, normal, again)
		require.Equal(t, normal, strings.ToLower(normal), "NormalizeHost(%q)", host)
		require.False(t, strings.ContainsAny(normal, "/ \x00@*\"',;[]"), "NormalizeHost(%q) = %q", host, normal)
	})
}
