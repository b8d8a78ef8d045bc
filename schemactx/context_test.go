package schemactx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func TestWithSchemaNestsAndRecurses(t *testing.T) {
	t.Parallel()
	expect := func(ctx context.Context, want string) {
		t.Helper()
		got, _ := schemactx.FromContext(ctx)
		assert.Equal(t, want, got, "schema")
	}
	ctx := t.Context()
	err := schemactx.WithSchema(ctx, "tenant_1", func(outer context.Context) error {
		expect(outer, "tenant_1")
		err := schemactx.WithSchema(outer, "tenant_2", func(inner context.Context) error {
			expect(inner, "tenant_2")
			return schemactx.WithPublic(inner, func(public context.Context) error {
				expect(public, "public")
				return nil
			})
		})
		expect(outer, "tenant_1")
		return err
	})
	require.NoError(t, err)
	schema, ok := schemactx.FromContext(ctx)
	assert.False(t, ok, "the caller's context has schema %q", schema)
}

func TestWithSchemaRefusesABadNameWithoutCallingBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "public", "Tenant_1", "a,b", "pg_toast"} {
		err := schemactx.WithSchema(t.Context(), name, func(context.Context) error {
			t.Errorf("called back in %q", name)
			return nil
		})
		var nameErr *schemactx.NameError
		assert.ErrorAs(t, err, &nameErr, "WithSchema(%q)", name)
	}
}

func TestWithSchemaReturnsTheCallersError(t *testing.T) {
	t.Parallel()
	want := errors.New("mine")
	err := schemactx.WithSchema(t.Context(), "tenant_1", func(context.Context) error { return want })
	assert.ErrorIs(t, err, want)
}

func TestContextKeepsOtherValues(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := schemactx.NewContext(context.WithValue(t.Context(), key{}, "mine"), "tenant_1")
	assert.Equal(t, "mine", ctx.Value(key{}), "a value of the parent is gone")
}

func TestContextAllocations(t *testing.T) {
	ctx := t.Context()
	var child context.Context
	n := testing.AllocsPerRun(100, func() { child = schemactx.NewContext(ctx, "tenant_1") })
	assert.LessOrEqual(t, n, float64(1), "NewContext: %v allocations, want the context alone", n)
	n = testing.AllocsPerRun(100, func() { _, _ = schemactx.FromContext(child) })
	assert.Zero(t, n, "FromContext: %v allocations, want 0", n)
}
