package tenancytest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// span is a test that ends when end is called.
type span struct {
	testing.TB
	cleanups []func()
}

func (s *span) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *span) end() {
	for _, f := range s.cleanups {
		f()
	}
}

// What a test pays for its tenant of 20 tables: made for it, or used again after a row was
// inserted.
func BenchmarkTenant(b *testing.B) {
	files := fstest.MapFS{}
	for i := range 20 {
		files[fmt.Sprintf("%05d_t.sql", i+1)] = &fstest.MapFile{
			Data: fmt.Appendf(nil, "-- +goose Up\ncreate table t%d (id bigserial primary key, body text);\n", i),
		}
	}
	env, err := tenancytest.Open(
		b.Context(),
		pgtest.New(b).URL,
		tenancytest.Config{Tenant: []migrate.Source{{Name: "t", FS: files}}},
	)
	require.NoError(b, err)
	defer env.Close(context.Background())
	for name, take := range map[string]func(testing.TB) *tenancytest.Tenant{"again": env.Tenant, "fresh": env.Fresh} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := &span{TB: b}
				if _, err := env.DB.Exec(take(s).Context(), "insert into t0 (body) values ('x')"); err != nil {
					b.Fatal(err)
				}
				s.end()
			}
		})
	}
}
