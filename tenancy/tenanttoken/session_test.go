package tenanttoken_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func TestASessionIsValidForOneSite(t *testing.T) {
	t.Parallel()
	s := signer(t)
	sites := map[string]context.Context{
		"a":      tenancy.NewContext(t.Context(), active(1, "a")),
		"b":      tenancy.NewContext(t.Context(), active(2, "b")),
		"public": tenancy.NewPublicContext(t.Context()),
	}
	for made, ctx := range sites {
		token, err := s.BindSession(ctx, "session of "+made, time.Hour)
		require.NoError(t, err)
		for opened, ctx := range sites {
			session, err := s.OpenSession(ctx, token)
			if made == opened {
				assert.NoError(t, err, made)
				assert.Equal(t, "session of "+made, session)
			} else {
				assert.ErrorIs(t, err, tenanttoken.ErrForeignTenant, "made for %s, opened for %s", made, opened)
				assert.Empty(t, session, "made for %s, opened for %s", made, opened)
			}
		}
	}
}

// A session is bound to the ID: the name, the schema and the slug can change or be reused.
func TestASessionIsBoundToTheIDAlone(t *testing.T) {
	t.Parallel()
	s := signer(t)
	token, err := s.BindSession(tenancy.NewContext(t.Context(), active(1, "a")), "s", 0)
	require.NoError(t, err)
	_, err = s.OpenSession(tenancy.NewContext(t.Context(), active(1, "renamed")), token)
	require.NoError(t, err)
	_, err = s.OpenSession(tenancy.NewContext(t.Context(), active(2, "a")), token)
	assert.ErrorIs(t, err, tenanttoken.ErrForeignTenant)
}

func TestASessionNeedsASite(t *testing.T) {
	t.Parallel()
	s := signer(t)
	token, err := s.BindSession(tenancy.NewPublicContext(t.Context()), "s", 0)
	require.NoError(t, err)
	for name, ctx := range map[string]context.Context{
		"no site":           t.Context(),
		"the public schema": schemactx.NewPublicContext(t.Context()), // system work has no site
		"no ID":             tenancy.NewContext(t.Context(), active(0, "a")),
	} {
		_, err := s.BindSession(ctx, "s", 0)
		assert.ErrorIs(t, err, tenanttoken.ErrNoTenant, "bind, %s", name)
		_, err = s.OpenSession(ctx, token)
		assert.ErrorIs(t, err, tenanttoken.ErrNoTenant, "open, %s", name)
	}
	var field *tenancy.FieldError
	_, err = s.BindSession(tenancy.NewPublicContext(t.Context()), "s", -1)
	assert.ErrorAs(t, err, &field, "negative ttl")
}
