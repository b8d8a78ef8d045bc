package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// outcomes returns the results as "t00=succeeded t01=failed".
func outcomes(r tenancy.ForEachReport) string {
	var all []string
	for _, result := range r.Results {
		all = append(all, result.Slug+"="+string(result.Outcome))
	}
	return strings.Join(all, " ")
}

func TestForEachCallsOncePerActiveTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenants(t, 25)
	f.insertTenant(t, "suspended", tenancy.Suspended)
	var mu sync.Mutex
	var seen []string
	report, err := f.tenants.ForEach(t.Context(), func(ctx context.Context, tenant *tenancy.Tenant) error {
		inContext, _ := tenancy.FromContext(ctx)
		schema, _ := schemactx.FromContext(ctx)
		assert.Same(t, tenant, inContext)
		assert.Equal(t, tenant.Schema, schema)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, tenant.Slug)
		return nil
	}, tenancy.ForEachOptions{Filter: tenancy.Filter{Limit: 7}})
	require.NoError(t, err)
	slices.Sort(seen)
	assert.Len(t, seen, 25)
	assert.Len(t, slices.Compact(seen), 25, "different tenants")
	assert.NotContains(t, seen, "suspended")
	assert.Equal(t, 25, report.Count(tenancy.Succeeded))
	assert.Zero(t, report.Next)
	assert.False(t, report.Stopped)
	if assert.Len(t, report.Results, 25) {
		assert.Equal(t, "t03", report.Results[3].Slug)
	}
	report, err = f.tenants.ForEach(t.Context(), func(context.Context, *tenancy.Tenant) error { return nil },
		tenancy.ForEachOptions{Filter: tenancy.Filter{Statuses: []tenancy.Status{tenancy.Suspended}}})
	require.NoError(t, err)
	assert.Equal(t, "suspended=succeeded", outcomes(report))
}

func TestForEachRunsAsManyCallsAsWorkers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenants(t, 12)
	var running, most atomic.Int32
	together := make(chan struct{}) // closed when three calls run at once
	_, err := f.tenants.ForEach(t.Context(), func(ctx context.Context, _ *tenancy.Tenant) error {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 3 {
			select {
			case <-together:
			default:
				close(together)
			}
		}
		select {
		case <-together:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, tenancy.ForEachOptions{Workers: 3})
	require.NoError(t, err)
	assert.Equal(t, int32(3), most.Load(), "calls at the same time")
}

func TestForEachContinuesAfterFailuresAndPanics(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenants(t, 5)
	injected := errors.New("injected")
	report, err := f.tenants.ForEach(t.Context(), func(_ context.Context, tenant *tenancy.Tenant) error {
		switch tenant.Slug {
		case "t01":
			return injected
		case "t02":
			panic(fmt.Errorf("broken: %w", injected))
		case "t03":
			runtime.Goexit()
		}
		return nil
	}, tenancy.ForEachOptions{Workers: 1})
	want := "t00=succeeded t01=failed t02=failed t03=failed t04=succeeded"
	assert.Equal(t, want, outcomes(report))
	var failed *tenancy.ForEachError
	if assert.ErrorAs(t, err, &failed) {
		assert.Equal(t, 3, failed.Failed)
		assert.Equal(t, 5, failed.Tenants)
		assert.Equal(t, "t01", failed.First.Slug)
		assert.ErrorIs(t, err, injected)
	}
	var panicked *tenancy.PanicError
	if assert.ErrorAs(t, report.Results[2].Err, &panicked) {
		assert.Equal(t, "t02", panicked.Slug)
		assert.ErrorIs(t, panicked, injected)
		assert.Contains(t, string(panicked.Stack), "foreach_test.go")
		assert.Contains(t, panicked.Error(), "t02")
	}
}

func TestForEachStopsAfterFailuresAndContinuesFromNext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenants(t, 9)
	fail := func(_ context.Context, tenant *tenancy.Tenant) error {
		if tenant.Slug >= "t02" {
			return errors.New("injected")
		}
		return nil
	}
	options := tenancy.ForEachOptions{Workers: 1, StopAfter: 2, Filter: tenancy.Filter{Limit: 3}}
	report, err := f.tenants.ForEach(t.Context(), fail, options)
	want := "t00=succeeded t01=succeeded t02=failed t03=failed " +
		"t04=not started t05=not started t06=not started t07=not started t08=not started"
	assert.Error(t, err)
	assert.True(t, report.Stopped)
	if assert.Equal(t, want, outcomes(report)) {
		assert.Equal(t, report.Results[3].ID, report.Next)
	}
	report, err = f.tenants.ForEach(t.Context(), func(context.Context, *tenancy.Tenant) error { return nil },
		tenancy.ForEachOptions{Filter: tenancy.Filter{After: report.Next}})
	require.NoError(t, err)
	if assert.Len(t, report.Results, 5) {
		assert.Equal(t, "t04", report.Results[0].Slug)
	}
}

func TestForEachDrainsWhenContextEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenants(t, 9)
	cause := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	var ended atomic.Int32
	started := make(chan struct{}, 9)
	report, err := f.tenants.ForEach(ctx, func(ctx context.Context, _ *tenancy.Tenant) error {
		started <- struct{}{}
		if len(started) == 2 { // both workers are busy
			cancel(cause)
		}
		<-ctx.Done()
		ended.Add(1)
		return ctx.Err()
	}, tenancy.ForEachOptions{Workers: 2})
	assert.ErrorIs(t, err, cause)
	assert.Equal(t, int32(2), ended.Load(), "calls that have returned")
	assert.Equal(t, 2, report.Count(tenancy.Failed))
	assert.True(t, report.Stopped)
	if assert.Equal(t, 7, report.Count(tenancy.NotStarted)) && assert.Len(t, report.Results, 9) {
		assert.Equal(t, report.Results[1].ID, report.Next)
	}
	succeed := func(context.Context, *tenancy.Tenant) error { return nil }
	report, err = f.tenants.ForEach(ctx, succeed, tenancy.ForEachOptions{}) // with a context that has ended
	assert.Error(t, err)
	assert.Empty(t, report.Results)
	assert.True(t, report.Stopped)
}

func TestForEachMayCallTheManager(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenants(t, 6)
	_, err := f.tenants.ForEach(t.Context(), func(ctx context.Context, tenant *tenancy.Tenant) error {
		_, err := f.tenants.Suspend(ctx, tenant.Slug, "unpaid")
		return err
	}, tenancy.ForEachOptions{Workers: 6, Filter: tenancy.Filter{Limit: 2}})
	require.NoError(t, err)
	page, err := f.tenants.List(t.Context(), tenancy.Filter{Statuses: []tenancy.Status{tenancy.Suspended}})
	require.NoError(t, err)
	assert.Len(t, page.Tenants, 6)
}

func TestForEachRefusesBadOptions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for field, o := range map[string]tenancy.ForEachOptions{
		"workers": {Workers: -1}, "stop_after": {StopAfter: -1}, "limit": {Filter: tenancy.Filter{Limit: -1}},
		"statuses": {Filter: tenancy.Filter{Statuses: []tenancy.Status{"gone"}}},
	} {
		_, err := f.tenants.ForEach(t.Context(), nil, o)
		expectField(t, err, field)
	}
}

func TestForEachSkipsTenantsThatAdmitRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenants(t, 3)
	report, err := f.tenants.ForEach(t.Context(), func(_ context.Context, tenant *tenancy.Tenant) error {
		assert.NotEqual(t, "t01", tenant.Slug)
		return nil
	}, tenancy.ForEachOptions{Admit: func(_ context.Context, tenant *tenancy.Tenant) error {
		if tenant.Slug == "t01" {
			return &tenancy.QuarantineError{Slug: tenant.Slug, Schema: tenant.Schema, Reason: "behind"}
		}
		return nil
	}})
	var refused *tenancy.QuarantineError
	assert.ErrorAs(t, err, &refused)
	assert.Equal(t, "t00=succeeded t01=failed t02=succeeded", outcomes(report))
}
