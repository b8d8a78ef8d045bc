package backup_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// Every role can take every advisory lock. No operation on a tenant, no migration and no set-up
// waits for an advisory lock that a tenant has taken.
func TestAdvisoryLocksOfATenantBlockNoOperation(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	squatter, err := f.runtime(t).Acquire(t.Context())
	require.NoError(t, err)
	defer squatter.Release()
	_, err = squatter.Exec(t.Context(), "set role "+pgx.Identifier{f.roles.Tenant(tenant.Schema)}.Sanitize())
	require.NoError(t, err)
	var keys, got int
	require.NoError(
		t,
		squatter.QueryRow(t.Context(), `select count(*),
			count(*) filter (where pg_try_advisory_lock(hashtextextended(kind || name, 0)))
		from (values ('pgtenant.migrate.'), ('pgtenant.scratch.')) kinds (kind), (select 'public' as name union all
			select 'tenant_' || n || suffix from generate_series(1, 9) n,
			(select '' as suffix union all select '_r' || m from generate_series(1, 9) m) s
		) names`).
			Scan(&keys, &got),
	)
	assert.Equal(t, 182, keys, "the squatter has %d of %d locks", got, keys)
	assert.Equal(t, keys, got, "the squatter has %d of %d locks", got, keys)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = admin.Setup(ctx, f.pg.Pool, admin.SetupConfig{Roles: f.roles, OwnerPassword: "o", RuntimePassword: "r"})
	require.NoError(t, err)
	want, s := f.content(t, "north"), f.service(t, backup.Config{})
	made, err := s.Backup(ctx, "north", backup.BackupOptions{})
	require.NoError(t, err)
	_, err = s.Clone(ctx, "north", backup.CloneOptions{Slug: "copy", Domain: "copy.example.com"})
	require.NoError(t, err)
	_, err = s.Restore(ctx, made.Name, backup.RestoreOptions{Replace: "north"})
	require.NoError(t, err)
	f.expectContent(t, "north", want)
	f.expectContent(t, "copy", want)
	_, err = f.tenants.Create(ctx, tenancy.CreateParams{Slug: "south", Domain: "south.example.com"})
	require.NoError(t, err)
	f.drop(t, "copy")
}
