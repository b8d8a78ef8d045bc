package schemactx_test

import (
	"context"
	"testing"

	"github.com/oryne/pgtenant/schemactx"
)

// kept holds the result of a benchmark, so that the compiler cannot leave it on the stack.
var kept context.Context

// BenchmarkContext measures the cost of a request before it reaches the database.
func BenchmarkContext(b *testing.B) {
	type key struct{}
	request, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "of the server"))
	defer cancel()
	ctx := schemactx.NewContext(request, "tenant_1")
	deep := context.WithValue(context.WithValue(context.WithValue(ctx, key{}, 1), key{}, 2), key{}, 3)
	nothing := func(ctx context.Context) error { kept = ctx; return nil }

	b.Run("NewContext", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			kept = schemactx.NewContext(request, "tenant_1")
		}
	})
	b.Run("WithSchema", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := schemactx.WithSchema(request, "tenant_1", nothing); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("FromContext", func(b *testing.B) { benchmarkFromContext(b, ctx, true) })
	b.Run("FromContext/three-values-down", func(b *testing.B) { benchmarkFromContext(b, deep, true) })
	b.Run("FromContext/none", func(b *testing.B) { benchmarkFromContext(b, request, false) })
	b.Run("ValidateName", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := schemactx.ValidateName("tenant_1234567"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmarkFromContext(b *testing.B, ctx context.Context, want bool) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := schemactx.FromContext(ctx); ok != want {
			b.Fatalf("found a schema: %t, want %t", ok, want)
		}
	}
}
