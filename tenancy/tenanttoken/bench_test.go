package tenanttoken_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

func BenchmarkOpenSession(b *testing.B) {
	s := signer(b)
	ctx := tenancy.NewContext(b.Context(), active(1, "a"))
	token, err := s.BindSession(ctx, "session", 0)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.OpenSession(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCacheKey(b *testing.B) {
	ctx := tenancy.NewContext(b.Context(), active(1, "a"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tenanttoken.CacheKey(ctx, "student", "42"); err != nil {
			b.Fatal(err)
		}
	}
}
