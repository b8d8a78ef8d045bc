package tenanttoken_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func TestCacheKeyOfTheTenantAndTheParts(t *testing.T) {
	t.Parallel()
	ctx := tenancy.NewContext(t.Context(), active(7, "a"))
	for want, parts := range map[string][]string{
		"tenant:7":                 nil,
		"tenant:7:":                {""},
		"tenant:7::":               {"", ""},
		"tenant:7:student:42":      {"student", "42"},
		"tenant:7:a:b%3Ac":         {"a", "b:c"},
		"tenant:7:a%3Ab:c":         {"a:b", "c"},
		"tenant:7:a%253Ab:c":       {"a%3Ab", "c"},
		"tenant:7:%0D%0Aset%20x:ü": {"\r\nset x", "ü"},
	} {
		got, err := tenanttoken.CacheKey(ctx, parts...)
		assert.NoError(t, err, "%q: %q", parts, got)
		assert.Equal(t, want, got, "%q", parts)
	}
	other, err := tenanttoken.CacheKey(tenancy.NewContext(t.Context(), active(70, "a")), "x")
	require.NoError(t, err)
	assert.False(t, strings.HasPrefix(other, "tenant:7:"), "tenant 70 has the key %q", other)
}

func TestCacheKeyNeedsTheSchemaOfTheTenant(t *testing.T) {
	t.Parallel()
	a := tenancy.NewContext(t.Context(), active(7, "a"))
	for name, ctx := range map[string]context.Context{
		"no tenant":       t.Context(),
		"public site":     tenancy.NewPublicContext(t.Context()),
		"schema by hand":  schemactx.NewContext(t.Context(), "tenant_a"),
		"another schema":  schemactx.NewContext(a, "tenant_b"),
		"shared work":     schemactx.NewPublicContext(a),
		"a without an ID": tenancy.NewContext(t.Context(), active(0, "a")),
	} {
		got, err := tenanttoken.CacheKey(ctx, "x")
		assert.ErrorIs(t, err, tenanttoken.ErrNoTenant, "%s: %q", name, got)
		assert.Empty(t, got, name)
	}
}

func FuzzCacheKey(f *testing.F) {
	f.Add("a", "b:c", "a:b", "c")
	f.Add("", "", "%", "3A")
	f.Add("a%3A", "", "a:", "")
	ctx := tenancy.NewContext(context.Background(), active(7, "a"))
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		one, two, three := []string{a, b}, []string{c, d}, []string{a, b, c}
		keys := [3]string{}
		for i, parts := range [][]string{one, two, three} {
			key, err := tenanttoken.CacheKey(ctx, parts...)
			require.NoError(t, err)
			assert.False(t, strings.ContainsAny(key, " \r\n\x00"), "%q has the key %q", parts, key)
			keys[i] = key
		}
		if assert.Equal(
			t,
			slices.Equal(one, two),
			keys[0] == keys[1],
			"%q, %q, %q have the keys %q",
			one,
			two,
			three,
			keys,
		) &&
			assert.NotEqual(t, keys[2], keys[0], "%q, %q, %q have the keys %q", one, two, three, keys) {
			assert.NotEqual(t, keys[2], keys[1], "%q, %q, %q have the keys %q", one, two, three, keys)
		}
	})
}
