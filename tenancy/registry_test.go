package tenancy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

func TestPagesContainEveryTenantOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var want, got []string
	for i := range 25 {
		slug := fmt.Sprintf("s%02d", i)
		f.insertTenant(t, slug, tenancy.Active)
		want = append(want, slug)
	}
	f.insertTenant(t, "spare", tenancy.Stocked)
	for filter := (tenancy.Filter{Limit: 10}); ; {
		page, err := f.registry.List(t.Context(), filter)
		require.NoError(t, err)
		for _, tenant := range page.Tenants {
			got = append(got, tenant.Slug)
		}
		if page.Next == 0 {
			break
		}
		filter.After = page.Next
	}
	assert.Equal(t, want, got, "List")
	got = nil
	for tenant, err := range f.registry.All(t.Context(), tenancy.Filter{Limit: 7}) {
		require.NoError(t, err)
		got = append(got, tenant.Slug)
	}
	assert.Equal(t, want, got, "All")
	for _, err := range f.registry.All(t.Context(), tenancy.Filter{Limit: 1}) {
		require.NoError(t, err)
		break // ends the iteration without a Close
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "north", tenancy.Active)
	f.insertTenant(t, "south", tenancy.Suspended)
	f.insertTenant(t, "spare", tenancy.Stocked)
	_, err := f.owner.Exec(t.Context(), "update tenants set plan = 'gold', name = '100%_Süd' where slug = 'south'")
	require.NoError(t, err)
	for want, filter := range map[string]tenancy.Filter{
		"north south":  {},
		"south":        {Plan: "gold"},
		"north":        {Statuses: []tenancy.Status{tenancy.Active}},
		"spare":        {Statuses: []tenancy.Status{tenancy.Stocked}},
		"":             {Search: "missing"},
		" south":       {Search: "SÜD"},
		"  south":      {Search: "0%_"},
		" north":       {Search: "NORTH.EX"},
		"north south ": {Search: "example.com"},
		" ":            {Search: "%%"},
	} {
		page, err := f.registry.List(t.Context(), filter)
		require.NoError(t, err)
		var got []string
		for _, tenant := range page.Tenants {
			got = append(got, tenant.Slug)
		}
		assert.Equal(t, strings.TrimSpace(want), strings.Join(got, " "), "%+v", filter)
	}
	for _, filter := range []tenancy.Filter{
		{Limit: -1}, {Limit: 1001}, {Statuses: []tenancy.Status{"gone"}}, {Search: "\x00"},
	} {
		_, err := f.registry.List(t.Context(), filter)
		var field *tenancy.FieldError
		assert.ErrorAs(t, err, &field, filter)
	}
}

func TestRoutesContainOnlyVerifiedDomains(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.insertTenant(t, "a", tenancy.Active), f.insertTenant(t, "b", tenancy.Suspended)
	f.insertTenant(t, "spare", tenancy.Stocked)
	_, err := f.owner.Exec(t.Context(), `insert into domains (tenant_id, host, is_primary, verified_at)
		values ($1, 'alias.example.com', false, now()), ($1, 'claimed.example.com', false, null)`, a)
	require.NoError(t, err)
	read := func(filter tenancy.RouteFilter) (got []string) {
		for route, err := range f.registry.Routes(t.Context(), filter) {
			require.NoError(t, err)
			got = append(got, fmt.Sprint(route.Tenant.ID, route.Tenant.Status, route.Hosts))
		}
		return got
	}
	ofA := fmt.Sprint(a, tenancy.Active, []string{"a.example.com", "alias.example.com"})
	ofB := fmt.Sprint(b, tenancy.Suspended, []string{"b.example.com"})
	for _, c := range []struct {
		filter tenancy.RouteFilter
		want   []string
	}{
		{tenancy.RouteFilter{}, []string{ofA, ofB}},
		{tenancy.RouteFilter{IDs: []int64{b, 999}}, []string{ofB}},
		{tenancy.RouteFilter{Hosts: []string{"alias.example.com", "missing.example.com"}}, []string{ofA}},
		{tenancy.RouteFilter{Hosts: []string{"claimed.example.com"}}, nil},
		{tenancy.RouteFilter{IDs: []int64{}}, nil},
		{tenancy.RouteFilter{Slugs: []string{}}, nil},
		{tenancy.RouteFilter{Slugs: []string{"a", "missing"}}, []string{ofA}},
		{tenancy.RouteFilter{IDs: []int64{b}, Slugs: []string{"b"}}, []string{ofB}},
		{tenancy.RouteFilter{IDs: []int64{a}, Hosts: []string{"b.example.com"}}, []string{ofA, ofB}},
	} {
		assert.Equal(t, c.want, read(c.filter), c.filter)
	}
	_, err = f.registry.ByHost(t.Context(), "claimed.example.com")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestRegistryConstraints(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.insertTenant(t, "a", tenancy.Active)
	f.insertTenant(t, "b", tenancy.Active)
	for rule, sql := range map[string]string{
		"domains_has_primary":   "delete from domains where tenant_id = $1",
		"domains_primary_check": "update domains set verified_at = null where tenant_id = $1",
		"domains_one_primary": `insert into domains (tenant_id, host, is_primary, verified_at)
			values ($1, 'x.example.com', true, now())`,
		"domains_host_key": `insert into domains (tenant_id, host, is_primary, verified_at)
			select id, 'a.example.com', false, now() from tenants where id <> $1`,
		"schema_names_pkey":      "insert into schema_names (name, tenant_id) values ('s_a', $1)",
		"tenants_status_check":   "update tenants set status = 'gone' where id = $1",
		"tenants_metadata_check": "update tenants set metadata = '[]' where id = $1",
	} {
		_, err := f.owner.Exec(t.Context(), sql, a)
		var pgErr *pgconn.PgError
		if assert.ErrorAs(t, err, &pgErr, rule) {
			assert.Equal(t, rule, pgErr.ConstraintName)
		}
	}
	// A domain can be deleted if the same transaction inserts another primary one.
	err := pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "delete from domains where tenant_id = $1", a)
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `insert into domains (tenant_id, host, is_primary, verified_at)
			values ($1, 'new.example.com', true, now())`, a)
		return err
	})
	require.NoError(t, err)
}

func TestChangesAreNotified(t *testing.T) {
	t.Parallel()
	f := setup(t)
	conn, err := pgx.Connect(t.Context(), f.pg.URLAs(f.roles.Runtime(), "r"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "listen "+tenancy.Channel)
	require.NoError(t, err)
	a := f.insertTenant(t, "a", tenancy.Active)
	for _, sql := range []string{
		"update tenants set name = 'New' where id = $1",
		"insert into domains (tenant_id, host, is_primary, verified_at) values ($1, 'alias.example.com', false, now())",
		"delete from domains where tenant_id = $1 and not is_primary",
	} {
		_, err := f.owner.Exec(t.Context(), sql, a)
		require.NoError(t, err)
	}
	for range 4 {
		n, err := conn.WaitForNotification(t.Context())
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint(a), n.Payload)
	}
}

func TestChangeIncrementsVersion(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.insertTenant(t, "a", tenancy.Active)
	before, err := f.tenants.ByID(t.Context(), a)
	require.NoError(t, err)
	_, err = f.owner.Exec(t.Context(), "update tenants set name = name where id = $1", a)
	require.NoError(t, err)
	same, err := f.tenants.ByID(t.Context(), a)
	require.NoError(t, err)
	_, err = f.owner.Exec(t.Context(), `update tenants
		set until = '2030-01-01T00:00:00Z', limits = '{"connections": 4}' where id = $1`, a)
	require.NoError(t, err)
	after, err := f.registry.ByID(t.Context(), a)
	require.NoError(t, err)
	assert.Equal(t, before.Version, same.Version, "version after an update that changes nothing")
	assert.Equal(t, before.Version+1, after.Version)
	assert.WithinDuration(t, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), after.Until, 0)
	assert.Equal(t, int64(4), after.Limits["connections"])
	assert.True(t, before.Until.IsZero())
	assert.NotNil(t, before.Limits)
	assert.Equal(t, "{}", string(before.Metadata), "metadata that the owner role reads")
	assert.Nil(t, after.Metadata, "metadata that the runtime login reads")
}

func TestRegistryMigratesDownAndUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	for range 2 {
		require.NoError(t, f.runDown(t, "00010_operations.sql"))
		require.NoError(t, f.runDown(t, "00009_lock_marks.sql"))
		require.NoError(t, f.runDown(t, "00008_confirm_requests.sql"))
		require.NoError(t, f.runDown(t, "00007_domains.sql"))
		require.NoError(t, f.runDown(t, "00006_locks.sql"))
		require.NoError(t, f.runDown(t, "00005_identity.sql"))
		require.NoError(t, f.runDown(t, "00004_notify.sql"))
		require.NoError(t, f.runDown(t, "00003_side_schemas.sql"))
		require.NoError(t, f.runDown(t, "00002_lifecycle.sql"))
		var hosts int
		require.NoError(t, f.owner.QueryRow(t.Context(), "select count(*) from domains").Scan(&hosts))
		assert.Equal(t, 1, hosts, "domains")
		require.NoError(t, f.tenants.Init(t.Context()))
	}
	found, err := f.registry.ByHost(t.Context(), "a.example.com")
	require.NoError(t, err)
	assert.Equal(t, "a", found.Slug)
}
