package audit_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func TestWhatIsRecordedIsReadAsItWas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	want := audit.Entry{
		Tenant: 42, Slug: "acme", Schema: "tenant_42", Action: audit.Export, Actor: "ada", Time: time.Now().Add(-time.Minute).Truncate(time.Microsecond),
		IP: netip.MustParseAddr("2001:db8::1"), RequestID: "r-1", Details: map[string]any{"rows": "3", "nested": map[string]any{"b": nil, "a": true}},
	}
	check(t, l.Record(t.Context(), want))
	check(t, l.Write(t.Context(), want))
	check(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Tenants: []int64{42}, Actions: []audit.Action{audit.Export}})
	if len(got) != 2 {
		t.Fatalf("%d records", len(got))
	}
	for _, r := range got {
		if r.Tenant != 42 || r.Slug != "acme" || r.Schema != "tenant_42" || r.Action != audit.Export || r.Actor != "ada" || !r.Time.Equal(want.Time) ||
			r.IP != want.IP || r.RequestID != "r-1" || r.Details["rows"] != "3" || r.Details["nested"].(map[string]any)["a"] != true {
			t.Errorf("got %+v", r)
		}
		if time.Since(r.Received) > time.Minute {
			t.Errorf("received at %v", r.Received)
		}
	}
	f.verify(t)
}

func TestWhatAnEntryLeavesOpenComesFromTheContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	ctx := tenancy.NewContext(t.Context(), &tenancy.Tenant{ID: 7, Slug: "seven", Schema: "tenant_7"})
	ctx = audit.NewContext(ctx, audit.Caller{Actor: "ada", IP: netip.MustParseAddr("192.0.2.1"), RequestID: "r-7"})
	check(t, l.Write(ctx, audit.Entry{Action: audit.Login}))
	if !audit.SetActor(ctx, "grace") {
		t.Error("no caller to name")
	}
	check(t, l.Write(ctx, audit.Entry{Action: audit.Backup}))
	check(t, l.Write(ctx, audit.Entry{Action: audit.Restore, Tenant: 8, Actor: "job"}))

	got := f.list(t, audit.Filter{RequestID: "r-7", IP: netip.MustParsePrefix("192.0.2.0/24")})
	if len(got) != 3 {
		t.Fatalf("%d records", len(got))
	}
	for i, want := range []audit.Entry{
		{Tenant: 7, Slug: "seven", Schema: "tenant_7", Actor: "ada"},
		{Tenant: 7, Slug: "seven", Schema: "tenant_7", Actor: "grace"},
		{Tenant: 8, Actor: "job"},
	} {
		if r := got[i]; r.Tenant != want.Tenant || r.Slug != want.Slug || r.Schema != want.Schema || r.Actor != want.Actor {
			t.Errorf("got %+v, want %+v", r.Entry, want)
		}
	}
	if audit.SetActor(t.Context(), "nobody") {
		t.Error("a context without a caller was named")
	}
}
