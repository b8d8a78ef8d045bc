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
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

func TestRenameKeepsRowsAndReservesOldName(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.insertNote(t, a, "of a")
	f.insertNote(t, b, "of b")
	for range 2 { // the second call changes nothing
		got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Name: "North", Slug: "north", Schema: "north"})
		require.NoError(t, err)
		assert.Equal(t, a.ID, got.ID)
		assert.Equal(t, "North", got.Name)
		assert.Equal(t, "north", got.Slug)
		assert.Equal(t, "north", got.Schema)
		assert.Empty(t, nextSchema(got))
		assert.Equal(t, tenancy.Active, got.Status)
	}
	north, err := f.registry.BySlug(t.Context(), "north")
	require.NoError(t, err)
	f.expectNote(t, north, "of a")
	f.insertNote(t, north, "more of a")
	_, err = f.readNote(t.Context(), a) // a process that still has the old schema name
	assert.True(t, errors.Is(err, schemactx.ErrSchemaMissing) || errors.Is(err, schemactx.ErrNotProvisioned),
		"error for the old schema name: %v", err)
	_, err = f.db.Exec(tenancy.NewContext(t.Context(), &b), "select * from north.notes")
	assert.Error(t, err, "b reads the renamed schema")
	_, err = f.tenants.BySlug(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Slug: "x", Schema: "x"})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)

	_, err = f.tenants.Rename(t.Context(), "north", tenancy.RenameParams{Schema: "south"})
	require.NoError(t, err)
	for _, schema := range []string{"north", "south"} { // an earlier and the current name of another tenant
		_, err = f.tenants.Rename(t.Context(), "b", tenancy.RenameParams{Schema: schema})
		assert.ErrorIs(t, err, admin.ErrTaken)
		_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "c", Domain: "c.example.com", Schema: schema})
		assert.ErrorIs(t, err, admin.ErrTaken)
	}
	_, err = f.tenants.Rename(t.Context(), "north", tenancy.RenameParams{Schema: "north"})
	assert.ErrorIs(t, err, admin.ErrTaken)
	f.expectNote(t, b, "of b")
	f.expectInvariants(t)
}

func TestRenameRefusesInvalidOrTakenNames(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.create(t, "b")
	_, err := f.pg.Pool.Exec(t.Context(), "create schema existing")
	require.NoError(t, err)
	f.expectRefusedNames(t, "a")
	after, err := f.tenants.ByID(t.Context(), a.ID)
	require.NoError(t, err)
	assert.Equal(t, a.Version, after.Version)
	assert.Equal(t, a.Schema, after.Schema)
	assert.Empty(t, nextSchema(after))
	_, err = f.pg.Pool.Exec(t.Context(), "drop schema existing")
	require.NoError(t, err)
	f.expectInvariants(t)
}

func (f *fixture) expectRefusedNames(t *testing.T, slug string) {
	t.Helper()
	for _, schema := range []string{
		"A", "Tenant_1", strings.Repeat("x", 64), "1a", "a-b", "a b", "a,b", `a"b`, "a\x00", "ü", "$user",
		"public", "pg_catalog", "pg_temp_3", "information_schema", "none", "default", "tenant_1", "tenant_999", "tenant_00",
	} {
		_, err := f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Schema: schema})
		var nameErr *schemactx.NameError
		assert.ErrorAs(t, err, &nameErr, "schema %q", schema)
		_, err = f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "new", Domain: "new.example.com", Schema: schema})
		assert.ErrorAs(t, err, &nameErr, "create with schema %q", schema)
	}
	for field, p := range map[string]tenancy.RenameParams{"slug": {Slug: "A"}, "name": {Name: "a\n"}} {
		_, err := f.tenants.Rename(t.Context(), slug, p)
		expectField(t, err, field)
	}
	_, err := f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Slug: "b", Schema: "fresh", Name: "New"})
	assert.ErrorIs(t, err, tenancy.ErrSlugTaken)
	_, err = f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Schema: "existing", Slug: "new", Name: "New"})
	assert.ErrorIs(t, err, admin.ErrTaken)
	_, err = f.tenants.Rename(t.Context(), "missing", tenancy.RenameParams{Schema: "fresh", Slug: slug})
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
}

func TestRenameOfNameAndSlugKeepsSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "first"})
	require.NoError(t, err)
	got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Slug: "north"})
	require.NoError(t, err)
	assert.Equal(t, "north", got.Slug)
	assert.Equal(t, "a", got.Name)
	assert.Equal(t, a.Schema, got.Schema)
	got, err = f.tenants.Rename(t.Context(), "north", tenancy.RenameParams{Name: "North", Schema: "first"})
	require.NoError(t, err)
	assert.Equal(t, "north", got.Slug)
	assert.Equal(t, "North", got.Name)
	assert.Equal(t, a.Schema, got.Schema)
	f.expectInvariants(t)
}

func TestUnfinishedRenameBlocksOtherRenames(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com", Schema: "first"})
	require.NoError(t, err)
	f.insertNote(t, a, "of a")
	f.stopRename(t, "a", "north")
	for _, schema := range []string{"south", "first"} {
		got, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: schema, Name: "New"})
		var busy *tenancy.BusyError
		if assert.ErrorAs(t, err, &busy) {
			assert.ErrorIs(t, err, tenancy.ErrBusy)
			assert.Equal(t, "north", nextSchema(busy.Tenant))
			assert.Equal(t, tenancy.OpRename, busy.Op)
			assert.NotEqual(t, "New", got.Name)
		}
	}
	_, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Name: "New"}) // needs no schema rename
	require.NoError(t, err)
	got, err := f.tenants.Suspend(t.Context(), "a", "")
	require.NoError(t, err)
	assert.Equal(t, "north", nextSchema(got))
	got, err = f.tenants.Resume(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "north", got.Schema)
	assert.Empty(t, nextSchema(got))
	assert.Equal(t, tenancy.Suspended, got.Status)
	_, err = f.tenants.Resume(t.Context(), "a")
	assert.ErrorIs(t, err, tenancy.ErrStatus)
	f.expectNote(t, got, "of a")
	f.expectInvariants(t)
}

// SQL outside the library creates the schema between the check and the step.
func TestRenameIsAbandonedWhenNameIsTaken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.insertNote(t, a, "of a")
	f.stopRename(t, "a", "north")
	_, err := f.pg.Pool.Exec(t.Context(), "create schema north")
	require.NoError(t, err)
	got, err := f.tenants.Resume(t.Context(), "a")
	assert.ErrorIs(t, err, admin.ErrTaken)
	assert.Equal(t, a.Schema, got.Schema)
	assert.Empty(t, nextSchema(got))
	f.expectNote(t, got, "of a")
	got, err = f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: "south"})
	require.NoError(t, err)
	f.expectNote(t, got, "of a")
	_, err = f.pg.Pool.Exec(t.Context(), "drop schema north")
	require.NoError(t, err)
	f.expectInvariants(t)
}

func TestRequestsDuringRenameReadOwnRowsOrFail(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.insertNote(t, a, "of a")
	f.insertNote(t, b, "of b")
	names := make([]tenancy.Tenant, 4) // the schema names of a that a process may still have
	for i := range names {
		names[i] = a
		if i > 0 {
			names[i].Schema = fmt.Sprintf("north%d", i)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var reads atomic.Int32
	for i := range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				body, err := f.readNote(ctx, names[i])
				switch {
				case err == nil && body == "of a":
					reads.Add(1)
				case err == nil:
					assert.Fail(t, "a read a note of another tenant", "%q", body)
				case ctx.Err() == nil && !isSchemaGone(err):
					assert.Fail(t, "a read failed", "%v", err)
				}
			}
		})
	}
	for _, tenant := range names[1:] {
		// until a request has read under the previous name
		for before := reads.Load(); reads.Load() == before && !t.Failed(); {
		}
		_, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: tenant.Schema})
		require.NoError(t, err)
		_, err = f.tenants.Rename(t.Context(), "b", tenancy.RenameParams{Schema: "other_" + tenant.Schema})
		require.NoError(t, err)
	}
	cancel()
	wg.Wait()
	f.expectInvariants(t)
}

// isSchemaGone reports whether the schema of a request did not exist any more, either when the
// request began or when its statement looked up the table.
func isSchemaGone(err error) bool {
	var pgErr *pgconn.PgError
	return errors.Is(err, schemactx.ErrSchemaMissing) || errors.Is(err, schemactx.ErrNotProvisioned) ||
		errors.As(err, &pgErr) && pgErr.Code == "42P01"
}
