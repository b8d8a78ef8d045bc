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

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// fleet inserts the rows of n active tenants with the slugs t00, t01 and so on.
func (f *fixture) fleet(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		f.row(t, fmt.Sprintf("t%02d", i), tenancy.Active)
	}
}

// outcomes returns the results as "t00=succeeded t01=failed".
func outcomes(r tenancy.ForEachReport) string {
	var all []string
	for _, result := range r.Results {
		all = append(all, result.Slug+"="+string(result.Outcome))
	}
	return strings.Join(all, " ")
}

func TestForEachGoesOverActiveTenantsOnceWithTheirContexts(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fleet(t, 25)
	f.row(t, "suspended", tenancy.Suspended)
	var mu sync.Mutex
	var seen []string
	report, err := f.tenants.ForEach(t.Context(), func(ctx context.Context, tenant *tenancy.Tenant) error {
		inContext, _ := tenancy.FromContext(ctx)
		schema, _ := schemactx.FromContext(ctx)
		if inContext != tenant || schema != tenant.Schema {
			t.Errorf("%s works in the context of %+v, schema %q", tenant.Slug, inContext, schema)
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, tenant.Slug)
		return nil
	}, tenancy.ForEachOptions{Filter: tenancy.Filter{Limit: 7}})
	check(t, err)
	slices.Sort(seen)
	if len(seen) != 25 || len(slices.Compact(seen)) != 25 || slices.Contains(seen, "suspended") {
		t.Errorf("seen: %q", seen)
	}
	if len(report.Results) != 25 || report.Count(tenancy.Succeeded) != 25 || report.Next != 0 || report.Stopped || report.Results[3].Slug != "t03" {
		t.Errorf("report: %+v", report)
	}
	report, err = f.tenants.ForEach(t.Context(), func(context.Context, *tenancy.Tenant) error { return nil },
		tenancy.ForEachOptions{Filter: tenancy.Filter{Statuses: []tenancy.Status{tenancy.Suspended}}})
	check(t, err)
	if outcomes(report) != "suspended=succeeded" {
		t.Errorf("suspended ones: %s", outcomes(report))
	}
}

func TestForEachWorksOnAsManyTenantsAsItHasWorkers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fleet(t, 12)
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
	check(t, err)
	if most.Load() != 3 {
		t.Errorf("%d at a time, want 3", most.Load())
	}
}

func TestForEachGoesOnAfterFailuresAndPanics(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fleet(t, 5)
	trouble := errors.New("trouble")
	report, err := f.tenants.ForEach(t.Context(), func(_ context.Context, tenant *tenancy.Tenant) error {
		switch tenant.Slug {
		case "t01":
			return trouble
		case "t02":
			panic(fmt.Errorf("broken: %w", trouble))
		case "t03":
			runtime.Goexit()
		}
		return nil
	}, tenancy.ForEachOptions{Workers: 1})
	if want := "t00=succeeded t01=failed t02=failed t03=failed t04=succeeded"; outcomes(report) != want {
		t.Errorf("report: %s, want %s", outcomes(report), want)
	}
	var failed *tenancy.ForEachError
	if !errors.As(err, &failed) || failed.Failed != 3 || failed.Tenants != 5 || failed.First.Slug != "t01" || !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
	var panicked *tenancy.PanicError
	if !errors.As(report.Results[2].Err, &panicked) || panicked.Slug != "t02" || !errors.Is(panicked, trouble) ||
		!strings.Contains(string(panicked.Stack), "foreach_test.go") || !strings.Contains(panicked.Error(), "t02") {
		t.Errorf("the panic is %v", report.Results[2].Err)
	}
}

func TestForEachStopsAfterFailuresAndGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fleet(t, 9)
	fail := func(_ context.Context, tenant *tenancy.Tenant) error {
		if tenant.Slug >= "t02" {
			return errors.New("trouble")
		}
		return nil
	}
	report, err := f.tenants.ForEach(t.Context(), fail, tenancy.ForEachOptions{Workers: 1, StopAfter: 2, Filter: tenancy.Filter{Limit: 3}})
	want := "t00=succeeded t01=succeeded t02=failed t03=failed t04=not started t05=not started t06=not started t07=not started t08=not started"
	if outcomes(report) != want || err == nil || !report.Stopped || report.Next != report.Results[3].ID {
		t.Errorf("%v: %s, next %d", err, outcomes(report), report.Next)
	}
	report, err = f.tenants.ForEach(t.Context(), func(context.Context, *tenancy.Tenant) error { return nil },
		tenancy.ForEachOptions{Filter: tenancy.Filter{After: report.Next}})
	check(t, err)
	if len(report.Results) != 5 || report.Results[0].Slug != "t04" {
		t.Errorf("the rest: %s", outcomes(report))
	}
}

func TestForEachDrainsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fleet(t, 9)
	cause := errors.New("enough")
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
	if !errors.Is(err, cause) || ended.Load() != 2 || report.Count(tenancy.Failed) != 2 || report.Count(tenancy.NotStarted) != 7 ||
		!report.Stopped || report.Next != report.Results[1].ID {
		t.Errorf("%v: %d ended, %s", err, ended.Load(), outcomes(report))
	}
	report, err = f.tenants.ForEach(ctx, func(context.Context, *tenancy.Tenant) error { return nil }, tenancy.ForEachOptions{})
	if err == nil || len(report.Results) != 0 || !report.Stopped {
		t.Errorf("under a context that is over: %v, %+v", err, report)
	}
}

func TestForEachMayCallTheManager(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fleet(t, 6)
	_, err := f.tenants.ForEach(t.Context(), func(ctx context.Context, tenant *tenancy.Tenant) error {
		_, err := f.tenants.Suspend(ctx, tenant.Slug, "all of them")
		return err
	}, tenancy.ForEachOptions{Workers: 6, Filter: tenancy.Filter{Limit: 2}})
	check(t, err)
	page, err := f.tenants.List(t.Context(), tenancy.Filter{Statuses: []tenancy.Status{tenancy.Suspended}})
	check(t, err)
	if len(page.Tenants) != 6 {
		t.Errorf("%d are suspended", len(page.Tenants))
	}
}

func TestForEachRefusesBadOptions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for field, o := range map[string]tenancy.ForEachOptions{
		"workers": {Workers: -1}, "stopafter": {StopAfter: -1}, "limit": {Filter: tenancy.Filter{Limit: -1}},
		"status": {Filter: tenancy.Filter{Statuses: []tenancy.Status{"gone"}}},
	} {
		_, err := f.tenants.ForEach(t.Context(), nil, o)
		expectField(t, err, field)
	}
}

func TestForEachLeavesAloneWhoIsNotAdmitted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fleet(t, 3)
	report, err := f.tenants.ForEach(t.Context(), func(_ context.Context, tenant *tenancy.Tenant) error {
		if tenant.Slug == "t01" {
			t.Error("worked on t01")
		}
		return nil
	}, tenancy.ForEachOptions{Admit: func(_ context.Context, tenant *tenancy.Tenant) error {
		if tenant.Slug == "t01" {
			return &tenancy.QuarantineError{Slug: tenant.Slug, Schema: tenant.Schema, Reason: "behind"}
		}
		return nil
	}})
	var refused *tenancy.QuarantineError
	if !errors.As(err, &refused) || outcomes(report) != "t00=succeeded t01=failed t02=succeeded" {
		t.Errorf("%s: %v", outcomes(report), err)
	}
}
