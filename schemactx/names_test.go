package schemactx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oryne/pgtenant/schemactx"
)

func TestValidateName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for _, name := range []string{"a", "_", "tenant_1", "a1", long, "publi", "publics", "pg", "information", "select"} {
		if err := schemactx.ValidateName(name); err != nil {
			t.Errorf("ValidateName(%q) = %v, want nil", name, err)
		}
	}
	for _, name := range []string{
		"", long + "a", "1a", "A", "tenantA", "a-b", "a.b", "a b", "a,b", `a"b`, "a'b", "a;b", "a--", "a\x00b", "a\nb", `a\b`, "é", "😀",
		"public", "information_schema", "pg_catalog", "pg_temp_3", "pg_", "none", "default", "$user",
	} {
		err := schemactx.ValidateName(name)
		var nameErr *schemactx.NameError
		if !errors.As(err, &nameErr) || nameErr.Name != name || nameErr.Rule == "" {
			t.Errorf("ValidateName(%q) = %v, want a NameError with the name and a rule", name, err)
		}
	}
}

func TestValidNameCostsNoAllocation(t *testing.T) {
	allocs := testing.AllocsPerRun(100, func() {
		if schemactx.ValidateName("tenant_1234") != nil {
			t.Fatal("refused")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

func TestQuoteNameRefusesWhatItWouldChange(t *testing.T) {
	t.Parallel()
	if got, err := schemactx.QuoteName("tenant_1", `we"ird`); err != nil || got != `"tenant_1"."we""ird"` {
		t.Errorf("got %s, %v", got, err)
	}
	for _, bad := range []string{"", "a\x00b", strings.Repeat("x", 64)} {
		if got, err := schemactx.QuoteName("tenant_1", bad); err == nil {
			t.Errorf("QuoteName(%q) = %s, want an error", bad, got)
		}
	}
}

// FuzzValidateName compares with the rule as it is written down.
func FuzzValidateName(f *testing.F) {
	for _, seed := range []string{"tenant_1", "", "pg_x", "public", "Ä", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		valid := schemactx.ValidateName(name) == nil
		quoted, err := schemactx.QuoteName(name)
		if valid && (err != nil || quoted != `"`+name+`"`) {
			t.Errorf("valid name %q quotes to %s, %v", name, quoted, err)
		}
		if valid && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") != "" {
			t.Errorf("%q is taken for valid", name)
		}
	})
}

func TestRoleNames(t *testing.T) {
	t.Parallel()
	roles, err := schemactx.NewRoleNames("shop")
	check(t, err)
	for got, want := range map[string]string{
		roles.Owner(): "shop_owner", roles.Runtime(): "shop_runtime", roles.Public(): "shop_public",
		roles.Tenant("tenant_1"): "shop__tenant_1", roles.Tenant("owner"): "shop__owner", roles.Tenant("_owner"): "shop___owner",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, prefix := range []string{"", "_a", "a_", "a__b", "A", "pg_a", strings.Repeat("a", 21), "a b"} {
		if _, err := schemactx.NewRoleNames(prefix); err == nil {
			t.Errorf("prefix %q was not refused", prefix)
		}
	}
}

func TestRoleNamesOfLongSchemasDiffer(t *testing.T) {
	t.Parallel()
	roles, err := schemactx.NewRoleNames(strings.Repeat("p", 20))
	check(t, err)
	common := strings.Repeat("s", 62)
	a, b := roles.Tenant(common+"a"), roles.Tenant(common+"b")
	if a == b || len(a) > schemactx.MaxNameLen {
		t.Errorf("roles of two long schemas: %q and %q", a, b)
	}
}

func TestDefaultRoleNamesAreValidForAnyDatabase(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, database := range []string{"school", "School", "my-db", "", strings.Repeat("d", 63), `we"ird`} {
		prefix := schemactx.DefaultRoleNames(database).Prefix()
		if _, err := schemactx.NewRoleNames(prefix); err != nil || seen[prefix] {
			t.Errorf("database %q has prefix %q: %v", database, prefix, err)
		}
		seen[prefix] = true
	}
}
