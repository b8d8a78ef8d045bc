package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func TestAssignStockedTakesTenantFromStock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: 2})
	assert.Equal(t, tenancy.RefillReport{Made: 2}, refill(t, m))
	before := stockedIDs(t, m)
	for route, err := range m.Routes(t.Context(), tenancy.RouteFilter{}) {
		assert.Fail(t, "a stocked tenant has a route", "%+v, %v", route, err)
	}
	a, err := m.AssignStocked(t.Context(), tenancy.CreateParams{Slug: "a", Name: "School A", Domain: "A.example.com"})
	require.NoError(t, err)
	assert.Equal(t, before[0], a.ID)
	assert.Equal(t, tenancy.Active, a.Status)
	assert.Equal(t, "a", a.Slug)
	assert.Equal(t, "School A", a.Name)
	assert.Equal(t, fmt.Sprintf("tenant_%d", a.ID), a.Schema)
	found, err := f.registry.ByHost(t.Context(), "a.example.com")
	require.NoError(t, err)
	f.expectUsable(t, found)
	assert.Equal(t, before[1:], stockedIDs(t, m), "stocked tenants")
	assert.Equal(t, tenancy.RefillReport{Made: 1}, refill(t, m))
	assert.Equal(t, tenancy.RefillReport{}, refill(t, m), "report of a full stock")
}

func TestAssignStockedCreatesWhenStockIsEmpty(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.AssignStocked(t.Context(), createParams("a")) // a manager without a stock
	require.NoError(t, err)
	f.expectUsable(t, a)
	b, err := f.stockManager(t, tenancy.StockConfig{Size: 1}).AssignStocked(t.Context(), createParams("b"))
	require.NoError(t, err)
	f.expectUsable(t, b)
	_, err = f.stockManager(t, tenancy.StockConfig{Size: 1, StockOnly: true}).AssignStocked(t.Context(), createParams("c"))
	assert.ErrorIs(t, err, tenancy.ErrStockEmpty)
	_, err = f.tenants.Refill(t.Context())
	assert.ErrorIs(t, err, tenancy.ErrNoStock)
	assert.ErrorIs(t, f.tenants.RunStock(t.Context()), tenancy.ErrNoStock)
}

func TestAssignStockedRefusesAndKeepsStock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: 1})
	f.create(t, "taken")
	refill(t, m)
	before := f.snapshot(t)
	placeholder := fmt.Sprintf("_%d", stockedIDs(t, m)[0])
	for name, c := range map[string]struct {
		params tenancy.CreateParams
		want   error
	}{
		"taken slug":     {tenancy.CreateParams{Slug: "taken", Domain: "x.example.com"}, tenancy.ErrSlugTaken},
		"taken domain":   {tenancy.CreateParams{Slug: "x", Domain: "taken.example.com"}, tenancy.ErrDomainTaken},
		"blank domain":   {tenancy.CreateParams{Slug: "x", Domain: " "}, &tenancy.FieldError{}},
		"chosen schema":  {tenancy.CreateParams{Slug: "x", Domain: "x.example.com", Schema: "mine"}, &tenancy.FieldError{}},
		"a stocked slug": {tenancy.CreateParams{Slug: placeholder, Domain: "x.example.com"}, &tenancy.FieldError{}},
	} {
		_, err := m.AssignStocked(t.Context(), c.params)
		require.Error(t, err, name)
		expectKind(t, err, c.want)
	}
	_, err := m.Create(t.Context(), tenancy.CreateParams{Slug: placeholder, Domain: "x.example.com"})
	expectKind(t, err, &tenancy.FieldError{})
	_, err = m.Resume(t.Context(), placeholder)
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	assert.Equal(t, before, f.snapshot(t))
}

func TestEachStockedTenantIsAssignedOnce(t *testing.T) {
	t.Parallel()
	const calls, size = 64, 20
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: size})
	refill(t, m)
	stock := stockedIDs(t, m)
	var wg sync.WaitGroup
	assigned := make(chan tenancy.Tenant, calls)
	for i := range calls {
		wg.Go(func() {
			tenant, err := m.AssignStocked(t.Context(), createParams(fmt.Sprintf("t%d", i)))
			assert.NoError(t, err)
			assigned <- tenant
		})
	}
	wg.Wait()
	close(assigned)
	seen := make(map[int64]bool)
	fromStock := 0
	for tenant := range assigned {
		assert.False(t, seen[tenant.ID], "tenant %d was assigned twice", tenant.ID)
		seen[tenant.ID] = true
		if slices.Contains(stock, tenant.ID) {
			fromStock++
		}
		f.expectUsable(t, tenant)
	}
	assert.Len(t, seen, calls, "different tenants")
	assert.Equal(t, size, fromStock, "tenants from the stock")
}

func TestConcurrentRefillsDoNotExceedSize(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var wg sync.WaitGroup
	for range 6 {
		m := f.stockManager(t, tenancy.StockConfig{Size: 5})
		wg.Go(func() {
			for report := (tenancy.RefillReport{Busy: true}); report.Busy; {
				var err error
				report, err = m.Refill(t.Context())
				if !assert.NoError(t, err) {
					return
				}
			}
		})
	}
	wg.Wait()
	assert.Len(t, stockedIDs(t, f.tenants), 5)
}

func TestSeedRunsAfterAssignment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("seed failed")
	broken := true
	m := f.stockManager(t, tenancy.StockConfig{Size: 1, StockOnly: true}, func(cfg *tenancy.Config) {
		cfg.Seed = func(ctx context.Context, tenant *tenancy.Tenant) error {
			if broken {
				return injected
			}
			assert.Equal(t, tenancy.Provisioning, tenant.Status, "status during the seed")
			_, err := f.db.Exec(ctx, "insert into notes values ($1)", tenant.Slug)
			return err
		}
	})
	refill(t, m)
	_, err := m.AssignStocked(t.Context(), createParams("a"))
	var stopped *tenancy.StepError
	require.ErrorAs(t, err, &stopped)
	require.Equal(t, tenancy.OpAssignStocked, stopped.Op)
	require.Equal(t, "seed", stopped.Step)
	require.ErrorIs(t, err, injected)
	broken = false
	a, err := m.Resume(t.Context(), "a")
	require.NoError(t, err)
	f.expectUsable(t, a)
	refill(t, m)
	b, err := m.AssignStocked(t.Context(), createParams("b"))
	require.NoError(t, err)
	var seeds int
	require.NoError(t,
		f.db.QueryRow(tenancy.NewContext(t.Context(), &b), "select count(*) from notes where body = 'b'").Scan(&seeds))
	assert.Equal(t, tenancy.Active, b.Status)
	assert.Equal(t, 1, seeds, "notes of the seed")
}

// releases returns migrators of two releases of a program. The later one has one more migration.
func (f *fixture) releases(t testing.TB) (earlier, later *migrate.Runner) {
	t.Helper()
	files := fstest.MapFS{
		"00001_notes.sql": {Data: []byte("-- +goose Up\ncreate table notes (body text);\n")},
		"00002_more.sql":  {Data: []byte("-- +goose Up\ncreate table more ();\n")},
	}
	later, err := migrate.New(f.owner, migrate.Config{Tenant: []migrate.Source{{Name: "test", FS: files}}})
	require.NoError(t, err)
	return notesRunner(t, f.owner), later
}

func TestStockOfEarlierReleaseIsMigratedBeforeAssignment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	earlier, later := f.releases(t)
	config := tenancy.StockConfig{Size: 2, StockOnly: true}
	before := f.stockManager(t, config, func(cfg *tenancy.Config) { cfg.Migrator = earlier })
	after := f.stockManager(t, config, func(cfg *tenancy.Config) { cfg.Migrator = later })
	refill(t, before)
	_, err := after.AssignStocked(t.Context(), createParams("a"))
	assert.ErrorIs(t, err, tenancy.ErrStockEmpty)
	assert.Equal(t, tenancy.RefillReport{Updated: 2}, refill(t, after))
	// The earlier release still runs. It assigns no tenant of the later release and changes none.
	_, err = before.AssignStocked(t.Context(), createParams("a"))
	assert.ErrorIs(t, err, tenancy.ErrStockEmpty)
	assert.Equal(t, tenancy.RefillReport{}, refill(t, before), "report of the earlier release")
	a, err := after.AssignStocked(t.Context(), createParams("a"))
	require.NoError(t, err)
	_, err = f.db.Exec(tenancy.NewContext(t.Context(), &a), "select from more")
	require.NoError(t, err)
}

func TestFailedStockIsRetriedAndNotAssigned(t *testing.T) {
	t.Parallel()
	f := setup(t)
	earlier, later := f.releases(t)
	before := f.stockManager(t, tenancy.StockConfig{Size: 2}, func(cfg *tenancy.Config) { cfg.Migrator = earlier })
	refill(t, before)
	injected := errors.New("the disk is full")
	migrator := &failingRunner{Runner: later, err: injected}
	m := f.stockManager(t, tenancy.StockConfig{Size: 4, StockOnly: true}, func(cfg *tenancy.Config) {
		cfg.Migrator = migrator
	})
	for range 2 { // the second call has one more unfinished tenant to repair and creates no other
		report, err := m.Refill(t.Context())
		assert.ErrorIs(t, err, injected)
		assert.Zero(t, report.Made)
		assert.Zero(t, report.Updated)
		assert.GreaterOrEqual(t, report.Failed, 3)
		_, err = m.AssignStocked(t.Context(), createParams("a"))
		assert.ErrorIs(t, err, tenancy.ErrStockEmpty)
	}
	assert.Len(t, stockedIDs(t, m), 4)
	migrator.err = nil
	assert.Equal(t, tenancy.RefillReport{Updated: 4}, refill(t, m))
}

// failingRunner is a runner that fails while err is set.
type failingRunner struct {
	*migrate.Runner
	err error
}

func (f *failingRunner) Migrate(ctx context.Context, schema string) error {
	if f.err != nil {
		return f.err
	}
	return f.Runner.Migrate(ctx, schema)
}

func (f *failingRunner) MigrateUnused(ctx context.Context, schema string) error {
	if f.err != nil {
		return f.err
	}
	return f.Runner.MigrateUnused(ctx, schema)
}

func TestStockIsRefilledAfterAssignment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ready := make(chan int64, 10)
	m := f.stockManager(t, tenancy.StockConfig{Size: 2, StockOnly: true, Interval: time.Hour}, func(cfg *tenancy.Config) {
		cfg.Hooks.After = func(_ context.Context, data tenancy.StepData) {
			if data.Op == tenancy.OpStock && data.Step == "ready" && data.Err == nil {
				ready <- data.Tenant.ID
			}
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() { ended <- m.RunStock(ctx) }()
	<-ready
	<-ready
	for i := range 3 {
		_, err := m.AssignStocked(t.Context(), createParams(fmt.Sprintf("t%d", i)))
		require.NoError(t, err)
		<-ready
	}
	stop := errors.New("stop")
	cancel(stop)
	assert.ErrorIs(t, <-ended, stop)
}

func TestDropStockedTenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: 2, StockOnly: true}, func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
	})
	refill(t, m)
	ids := stockedIDs(t, m)
	first, err := m.ByID(t.Context(), ids[0])
	require.NoError(t, err)
	_, err = m.Drop(t.Context(), request(t, m, first.Slug))
	require.NoError(t, err)
	assert.Empty(t, f.leftovers(t, first))
	second, err := m.ByID(t.Context(), ids[1])
	require.NoError(t, err)
	params := request(t, m, second.Slug)
	a, err := m.AssignStocked(t.Context(), createParams("a"))
	require.NoError(t, err)
	_, err = m.Drop(t.Context(), params) // the tenant has a customer now
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	f.expectUsable(t, a)
}

// A drop that began with a stocked tenant must not drop the tenant after it was assigned.
func TestDropIsRefusedAfterAssignment(t *testing.T) {
	t.Parallel()
	f := setup(t)
	assigner := f.stockManager(t, tenancy.StockConfig{Size: 1, StockOnly: true})
	refill(t, assigner)
	var a tenancy.Tenant
	m := f.managerWith(t, func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
		cfg.Hooks.Before = func(ctx context.Context, data tenancy.StepData) (err error) {
			if data.Step == "mark" {
				a, err = assigner.AssignStocked(ctx, createParams("a"))
			}
			return err
		}
	})
	tenant, err := m.ByID(t.Context(), stockedIDs(t, m)[0])
	require.NoError(t, err)
	_, err = m.Drop(t.Context(), request(t, m, tenant.Slug))
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	f.expectUsable(t, a)
}

func TestKilledRefillContinues(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: 1, StockOnly: true})
	for i, c := range []crash{
		{StepName: "schema"},
		{StepName: "schema", After: true},
		{StepName: "migrate"},
		{StepName: "migrate", After: true},
		{StepName: "ready"},
	} {
		c.Op = tenancy.OpStock
		require.True(t, f.kill(t, c), c)
		_, err := m.AssignStocked(t.Context(), createParams("early"))
		assert.ErrorIs(t, err, tenancy.ErrStockEmpty)
		assert.Equal(t, tenancy.RefillReport{Updated: 1}, refill(t, m), c)
		tenant, err := m.AssignStocked(t.Context(), createParams(fmt.Sprintf("t%d", i)))
		require.NoError(t, err)
		f.expectUsable(t, tenant)
	}
}

func TestKilledAssignmentIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	m := f.stockManager(t, tenancy.StockConfig{Size: 1, StockOnly: true})
	for i, c := range []crash{{StepName: "seed"}, {StepName: "seed", After: true}, {StepName: "activate"}} {
		refill(t, m)
		c.Op, c.Slug = tenancy.OpAssignStocked, fmt.Sprintf("t%d", i)
		require.True(t, f.kill(t, c), c)
		tenant, err := m.Resume(t.Context(), c.Slug)
		require.NoError(t, err)
		f.expectUsable(t, tenant)
	}
}

func TestNewRefusesInvalidStockConfig(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runner := notesRunner(t, f.owner)
	withoutVersion := migratorFunc(func(context.Context, string) error { return nil })
	for name, cfg := range map[string]tenancy.Config{
		"negative":           {Migrator: runner, Stock: tenancy.StockConfig{Size: -1}},
		"negative interval":  {Migrator: runner, Stock: tenancy.StockConfig{Size: 1, Interval: -1}},
		"stock only, size 0": {Migrator: runner, Stock: tenancy.StockConfig{StockOnly: true}},
		"no version":         {Migrator: withoutVersion, Stock: tenancy.StockConfig{Size: 1}},
	} {
		cfg.Roles = schemactx.DefaultRoleNames("x")
		_, err := tenancy.New(f.owner, cfg)
		assert.Error(t, err, "%s: accepted", name)
	}
}
