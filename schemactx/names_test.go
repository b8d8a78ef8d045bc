package schemactx_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestValidateName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, name := range []string{"a", "_", "tenant_1", "a1", long, "publi", "publics", "pg", "information", "select"} {
		err := schemactx.ValidateName(name)
		assert.NoError(t, err, "ValidateName(%q) = %v, want nil", name, err)
	}
	for _, name := range []string{
		"", long + "a", "1a", "A", "tenantA", "a-b", "a.b", "a b", "a,b", `a"b`, "a'b", "a;b", "a--", "a\x00b", "a\nb", `a\b`,
		"é", "😀",
		"public", "information_schema", "pg_catalog", "pg_temp_3", "pg_", "none", "default", "$user",
	} {
		err := schemactx.ValidateName(name)
		var nameErr *schemactx.NameError
		if assert.ErrorAs(t, err, &nameErr, "ValidateName(%q) = %v, want a NameError with the name and a rule", name, err) &&
			assert.Equal(t, name, nameErr.Name, "ValidateName(%q) = %v, want a NameError with the name and a rule", name, err) {
			assert.NotEmpty(t, nameErr.Rule, "ValidateName(%q) = %v, want a NameError with the name and a rule", name, err)
		}
	}
}

func TestValidNameCostsNoAllocation(t *testing.T) {
	var err error
	allocs := testing.AllocsPerRun(100, func() {
		err = schemactx.ValidateName("tenant_1234")
	})
	require.NoError(t, err)
	assert.Zero(t, allocs, "allocations")
}

func TestQuoteNameRefusesWhatItWouldChange(t *testing.T) {
	t.Parallel()
	got, err := schemactx.QuoteName("tenant_1", `we"ird`)
	assert.NoError(t, err, got)
	assert.Equal(t, `"tenant_1"."we""ird"`, got)
	for _, bad := range []string{"", "a\x00b", strings.Repeat("x", 64)} {
		got, err := schemactx.QuoteName("tenant_1", bad)
		assert.Error(t, err, "QuoteName(%q) = %s, want an error", bad, got)
	}
}

// FuzzValidateName compares ValidateName with the documented rule.
func FuzzValidateName(f *testing.F) {
	for _, seed := range []string{"tenant_1", "", "pg_x", "public", "Ä", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		valid := schemactx.ValidateName(name) == nil
		quoted, err := schemactx.QuoteName(name)
		assert.True(t, !valid || err == nil && quoted == `"`+name+`"`, "valid name %q quotes to %s, %v", name, quoted, err)
		if valid {
			assert.Empty(t, strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789"), "%q is taken for valid", name)
		}
	})
}

func TestRoleNames(t *testing.T) {
	t.Parallel()
	roles, err := schemactx.NewRoleNames("shop")
	require.NoError(t, err)
	for got, want := range map[string]string{
		roles.Owner(): "shop_owner", roles.Runtime(): "shop_runtime", roles.Public(): "shop_public",
		roles.Tenant("tenant_1"): "shop__tenant_1", roles.Tenant("owner"): "shop__owner",
		roles.Tenant("_owner"): "shop___owner",
	} {
		assert.Equal(t, want, got)
	}
	for _, prefix := range []string{"", "_a", "a_", "a__b", "A", "pg_a", strings.Repeat("a", 21), "a b"} {
		_, err := schemactx.NewRoleNames(prefix)
		assert.Error(t, err, "prefix %q was not refused", prefix)
	}
}

func TestRoleNamesOfLongSchemasDiffer(t *testing.T) {
	t.Parallel()
	roles, err := schemactx.NewRoleNames(strings.Repeat("p", 20))
	require.NoError(t, err)
	common := strings.Repeat("s", 62)
	a, b := roles.Tenant(common+"a"), roles.Tenant(common+"b")
	assert.NotEqual(t, b, a, "roles of two long schemas: %q and %q", a, b)
	assert.LessOrEqual(t, len(a), schemactx.MaxNameLen, "roles of two long schemas: %q and %q", a, b)
}

func TestDefaultRoleNamesAreValidForAnyDatabase(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, database := range []string{"school", "School", "my-db", "", strings.Repeat("d", 63), `we"ird`} {
		prefix := schemactx.DefaultRoleNames(database).Prefix()
		_, err := schemactx.NewRoleNames(prefix)
		assert.NoError(t, err, "database %q has prefix %q", database, prefix)
		assert.False(t, seen[prefix], "database %q has prefix %q: %v", database, prefix, err)
		seen[prefix] = true
	}
}
