package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

func TestCreatedTenantIsReadyToUse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Name: "School A", Domain: "A.Example.com."})
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, a.Status)
	assert.Equal(t, fmt.Sprintf("tenant_%d", a.ID), a.Schema)
	assert.Equal(t, "School A", a.Name)
	assert.Nil(t, a.Operation)
	b := f.create(t, "b")
	ctx := tenancy.NewContext(t.Context(), &a)
	_, err = f.db.Exec(ctx, "insert into notes values ('of a')")
	require.NoError(t, err)
	var n int
	require.NoError(t, f.db.QueryRow(tenancy.NewContext(t.Context(), &b), "select count(*) from notes").Scan(&n))
	assert.Zero(t, n, "notes of b")
	_, err = f.db.Exec(ctx, "select * from "+b.Schema+".notes")
	var pgErr *pgconn.PgError
	if assert.ErrorAs(t, err, &pgErr, "a reads a table of b") {
		assert.Equal(t, "42501", pgErr.Code, "a reads a table of b")
	}
	found, err := f.registry.ByHost(t.Context(), "a.example.com:8000")
	require.NoError(t, err)
	assert.Equal(t, a.ID, found.ID)
	assert.Equal(t, a.Schema, found.Schema)
	assert.Equal(t, "a", found.Slug)
	assert.Equal(t, tenancy.Active, found.Status)
	assert.Equal(t, a.Version, found.Version)
}

func TestRuntimeLoginReadsOnlyRoutingColumns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	ctx := schemactx.NewPublicContext(t.Context())
	for sql, allowed := range map[string]bool{
		"select id, schema_name, slug, status, limits from tenants":                true,
		"select tenant_id, host, is_primary from domains":                          true,
		"select * from tenants":                                                    false,
		"select metadata from tenants":                                             false,
		"select operation from registry_operations":                                false,
		"select token from domains":                                                false,
		"select * from platform_users":                                             false,
		"select * from schema_names":                                               false,
		"select * from drop_requests":                                              false,
		"update tenants set slug = 'x'":                                            false,
		"delete from domains":                                                      false,
		"insert into domains (tenant_id, host, is_primary) values (1, 'x', false)": false,
		"select * from goose_db_version":                                           false,
	} {
		_, err := f.db.Exec(ctx, sql)
		assert.Equal(t, allowed, err == nil, "%s: %v", sql, err)
	}
}

func TestCreateRefusesInvalidInput(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "taken")
	before := f.countRows(t)
	long, tooLong := strings.Repeat("x", 64), strings.Repeat("ü", 201)
	for name, c := range map[string]struct {
		params tenancy.CreateParams
		field  string
	}{
		"no slug":          {tenancy.CreateParams{Domain: "x.example.com"}, "slug"},
		"slug in capitals": {tenancy.CreateParams{Slug: "ABC", Domain: "x.example.com"}, "slug"},
		"slug of 64 bytes": {tenancy.CreateParams{Slug: long, Domain: "x.example.com"}, "slug"},
		"slug with SQL":    {tenancy.CreateParams{Slug: "a'; drop table tenants; --", Domain: "x.example.com"}, "slug"},
		"slug with hyphen": {tenancy.CreateParams{Slug: "-a", Domain: "x.example.com"}, "slug"},
		"long name":        {tenancy.CreateParams{Slug: "x", Name: tooLong, Domain: "x.example.com"}, "name"},
		"name with NUL":    {tenancy.CreateParams{Slug: "x", Name: "a\x00b", Domain: "x.example.com"}, "name"},
		"name not UTF-8":   {tenancy.CreateParams{Slug: "x", Name: "\xff", Domain: "x.example.com"}, "name"},
		"blank domain":     {tenancy.CreateParams{Slug: "x", Domain: " "}, "domain"},
		"wildcard domain":  {tenancy.CreateParams{Slug: "x", Domain: "*.example.com"}, "domain"},
		"address":          {tenancy.CreateParams{Slug: "x", Domain: "127.0.0.1"}, "domain"},
		"domain with port": {tenancy.CreateParams{Slug: "x", Domain: "x.example.com:80"}, "domain"},
	} {
		_, err := f.tenants.Create(t.Context(), c.params)
		var field *tenancy.FieldError
		if assert.ErrorAs(t, err, &field, "%s: %v", name, err) {
			assert.Equal(t, c.field, field.Field, name)
		}
	}
	for want, params := range map[error]tenancy.CreateParams{
		tenancy.ErrSlugTaken:   {Slug: "taken", Domain: "other.example.com"},
		tenancy.ErrDomainTaken: {Slug: "other", Domain: "TAKEN.example.com"},
	} {
		_, err := f.tenants.Create(t.Context(), params)
		assert.ErrorIs(t, err, want)
	}
	for _, schema := range []string{"public", "pg_x", "X", "a,b"} {
		_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "x", Domain: "x.example.com", Schema: schema})
		var nameErr *schemactx.NameError
		assert.ErrorAs(t, err, &nameErr, "schema %q", schema)
	}
	assert.Equal(t, before, f.countRows(t), "tenants, domains and schemas")
}

func TestFailedCreateIsResumed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("the disk is full")
	f.migrator.err.Store(&injected)
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	var stepErr *tenancy.StepError
	require.ErrorAs(t, err, &stepErr)
	require.Equal(t, tenancy.OpCreate, stepErr.Op)
	require.Equal(t, "migrate", stepErr.Step)
	require.ErrorIs(t, err, injected)
	unfinished, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Provisioning, unfinished.Status)
	assert.Contains(t, failureOf(unfinished), "disk is full")
	_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "b.example.com"})
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)

	f.migrator.err.Store(nil)
	a, err := f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, a.Status)
	assert.Nil(t, a.Operation)
	assert.Equal(t, unfinished.Schema, a.Schema)
	_, err = f.tenants.Resume(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	_, err = f.tenants.Resume(t.Context(), "missing")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestCancelledCreateRecordsFailure(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.migrator.Migrator = migratorFunc(func(ctx context.Context, _ string) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	_, err := f.tenants.Create(ctx, tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	assert.ErrorIs(t, err, context.Canceled)
	unfinished, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenancy.Provisioning, unfinished.Status)
	assert.NotEmpty(t, failureOf(unfinished))
}

func TestOneOfConcurrentCreatesOfASlugSucceeds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var wg sync.WaitGroup
	var created atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: fmt.Sprintf("a%d.example.com", i)})
			if err == nil {
				created.Add(1)
			} else {
				assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), created.Load(), "creates that succeeded")
	assert.Equal(t, [3]int{1, 1, 1}, f.countRows(t), "tenants, domains and schemas")
}

func TestConcurrentCreatesOfDifferentTenants(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			slug := fmt.Sprintf("t%d", i)
			_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	all, err := f.registry.List(t.Context(), tenancy.Filter{})
	require.NoError(t, err)
	assert.Len(t, all.Tenants, 8)
}

func TestInitIsIdempotent(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	require.NoError(t, f.tenants.Init(t.Context()))
	_, err := f.registry.BySlug(t.Context(), "a")
	require.NoError(t, err)
}
