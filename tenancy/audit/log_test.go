package audit_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func TestRecordedEntriesAreReadUnchanged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	want := audit.Entry{
		Tenant: 42,
		Slug:   "acme",
		Schema: "tenant_42",
		Action: audit.Export,
		Actor:  "ada",
		Time:   time.Now().Add(-time.Minute).Truncate(time.Microsecond),
		IP: netip.MustParseAddr(
			"2001:db8::1",
		),
		RequestID: "r-1",
		Details:   map[string]any{"rows": "3", "nested": map[string]any{"b": nil, "a": true}},
	}
	require.NoError(t, l.Record(t.Context(), want))
	require.NoError(t, l.Write(t.Context(), want))
	require.NoError(t, l.Flush(t.Context()))
	got := f.list(t, audit.Filter{Tenants: []int64{42}, Actions: []audit.Action{audit.Export}})
	require.Len(t, got, 2, "%d records", len(got))
	for _, r := range got {
		if assert.Equal(t, int64(42), r.Tenant, r) &&
			assert.Equal(t, "acme", r.Slug, r) &&
			assert.Equal(t, "tenant_42", r.Schema, r) &&
			assert.Equal(t, audit.Export, r.Action, r) &&
			assert.Equal(t, "ada", r.Actor, r) &&
			assert.WithinDuration(t, want.Time, r.Time, 0, r) &&
			assert.True(t, r.IP == want.IP, "got %+v", r) &&
			assert.Equal(t, "r-1", r.RequestID, r) &&
			assert.Equal(t, "3", r.Details["rows"], r) {
			assert.Equal(t, true, r.Details["nested"].(map[string]any)["a"], r)
		}
		assert.LessOrEqual(t, time.Since(r.Received), time.Minute, "received at %v", r.Received)
	}
	f.verify(t)
}

func TestEmptyFieldsOfAnEntryComeFromTheContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	ctx := tenancy.NewContext(t.Context(), &tenancy.Tenant{ID: 7, Slug: "seven", Schema: "tenant_7"})
	ctx = audit.NewContext(ctx, audit.Caller{Actor: "ada", IP: netip.MustParseAddr("192.0.2.1"), RequestID: "r-7"})
	require.NoError(t, l.Write(ctx, audit.Entry{Action: audit.Login}))
	assert.True(t, audit.SetActor(ctx, "grace"), "no caller to name")
	require.NoError(t, l.Write(ctx, audit.Entry{Action: audit.Backup}))
	require.NoError(t, l.Write(ctx, audit.Entry{Action: audit.Restore, Tenant: 8, Actor: "job"}))

	got := f.list(t, audit.Filter{RequestID: "r-7", IP: netip.MustParsePrefix("192.0.2.0/24")})
	require.Len(t, got, 3, "%d records", len(got))
	for i, want := range []audit.Entry{
		{Tenant: 7, Slug: "seven", Schema: "tenant_7", Actor: "ada"},
		{Tenant: 7, Slug: "seven", Schema: "tenant_7", Actor: "grace"},
		{Tenant: 8, Actor: "job"},
	} {
		r := got[i]
		assert.Equal(t, want.Tenant, r.Tenant, "got %+v, want %+v", r.Entry, want)
		assert.Equal(t, want.Slug, r.Slug, "got %+v, want %+v", r.Entry, want)
		assert.Equal(t, want.Schema, r.Schema, "got %+v, want %+v", r.Entry, want)
		assert.Equal(t, want.Actor, r.Actor, "got %+v, want %+v", r.Entry, want)
	}
	assert.False(t, audit.SetActor(t.Context(), "nobody"), "SetActor set the actor of a context without a caller")
}
