package resolver_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/resolver"
	"github.com/oryne/pgtenant/tenancy"
)

const (
	benchDomains = 100_000
	perTenant    = 4
)

// manyDomains fills the registry with tenants that have perTenant domains each.
func (f *fixture) manyDomains(b testing.TB, domains, perTenant int) {
	b.Helper()
	_, err := f.pg.Pool.Exec(b.Context(), `with s as (insert into public.schema_names (name, tenant_id)
			select 'tenant_' || i, i from generate_series(1, $1::int / $2::int) i returning name, tenant_id),
		t as (insert into public.tenants (id, schema_name, slug, name, status, limits)
			select tenant_id, name, 'school' || tenant_id, 'School ' || tenant_id, 'active', '{"connections": 4}' from s
				returning id)
		insert into public.domains (tenant_id, host, is_primary, verified_at)
			select id, 'school' || (id - 1) * $2::int + n || '.example.com', n = 0, now()
				from t, generate_series(0, $2::int - 1) n`,
		domains, perTenant)
	require.NoError(b, err)
	_, err = f.pg.Pool.Exec(b.Context(), "vacuum analyze")
	require.NoError(b, err)
}

// shuffled returns the hosts in random order, so that caches do not help. Each is a separate
// string, as in a request.
func shuffled(format string) []string {
	hosts := make([]string, benchDomains)
	for i, n := range rand.Perm(benchDomains) {
		hosts[i] = fmt.Sprintf(format, n)
	}
	return hosts
}

func BenchmarkResolve(b *testing.B) {
	f := setup(b)
	f.manyDomains(b, benchDomains, perTenant)
	d := f.directory(b, resolver.Config{PublicHosts: []string{"example.com"}})
	base := f.directory(b, resolver.Config{BaseDomains: []string{"example.net"}, WWW: resolver.WWWSame})
	limited := f.directory(b, resolver.Config{MissBurst: 1, MissInterval: time.Hour})
	_, err := limited.Resolve(b.Context(), "nobody.example.com") // uses up the token
	require.Error(b, err, "the host is known")
	for _, c := range []struct {
		name  string
		d     *resolver.Directory
		hosts []string
		known bool
	}{
		{"known", d, shuffled("school%d.example.com"), true},
		{"known-with-base", base, shuffled("school%d.example.com"), true},
		{"unknown", d, shuffled("nobody%d.example.com"), false},
		{"unknown-limited", limited, shuffled("nobody%d.example.com"), false},
		{"port", d, shuffled("school%d.example.com:8000"), true},
		{"upper-case", d, shuffled("School%d.Example.com"), true},
	} {
		resolve := func(b *testing.B, next func() bool) {
			ctx := b.Context()
			for i := rand.IntN(benchDomains); next(); i++ {
				if i == benchDomains {
					i = 0
				}
				if target, err := c.d.Resolve(ctx, c.hosts[i]); (err == nil) != c.known {
					b.Fatalf("%q: %+v, %v", c.hosts[i], target, err)
				}
			}
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			resolve(b, b.Loop)
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) { resolve(b, pb.Next) })
		})
	}
}

// BenchmarkLoad opens a directory on a registry: it listens, queries and builds the maps.
func BenchmarkLoad(b *testing.B) {
	for _, per := range []int{1, perTenant} {
		b.Run(fmt.Sprintf("domains=%d/tenants=%d", benchDomains, benchDomains/per), func(b *testing.B) {
			f := setup(b)
			f.manyDomains(b, benchDomains, per)
			db := f.db(b, nil)
			b.ReportAllocs()
			for b.Loop() {
				d, err := resolver.NewDirectory(b.Context(), db, resolver.Config{})
				require.NoError(b, err)
				require.Equal(b, benchDomains, d.Status().Hosts)
				d.Close()
			}
		})
	}
}

// BenchmarkChangeSeen moves a domain and waits until a directory on another pool has it: from
// before the commit to the first request that sees it. Between two moves it waits for the end of
// the pause after a load; that time is not measured.
func BenchmarkChangeSeen(b *testing.B) {
	for _, domains := range []int{100, benchDomains} {
		b.Run(fmt.Sprintf("domains=%d", domains), func(b *testing.B) {
			f := setup(b)
			f.manyDomains(b, domains, perTenant)
			d := f.directory(b, resolver.Config{})
			f.exec(
				b,
				"insert into domains (tenant_id, host, is_primary, verified_at) values (1, 'moves.example.com', false, now())",
			)
			require.NoError(b, d.Refresh(b.Context(), 1))
			time.Sleep(200 * time.Millisecond)
			var took []time.Duration
			for to := int64(2); b.Loop(); to = 3 - to {
				start := time.Now()
				f.exec(b, "update domains set tenant_id = $1 where host = 'moves.example.com'", to)
				for {
					target, err := d.Resolve(b.Context(), "moves.example.com")
					if err == nil && target.Tenant().ID == to {
						break
					}
					time.Sleep(50 * time.Microsecond)
				}
				took = append(took, time.Since(start))
				time.Sleep(200 * time.Millisecond)
			}
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
			b.ReportMetric(0, "ns/op") // it includes the waiting
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
			b.ReportMetric(ms(took[len(took)-1]), "max-ms")
		})
	}
}

func BenchmarkNormalizeHost(b *testing.B) {
	for _, host := range []string{
		"school12345.example.com", "school12345.example.com:8000", "School12345.Example.com", "bücher.example",
	} {
		b.Run(strings.ReplaceAll(host, ":", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = tenancy.NormalizeHost(host)
			}
		})
	}
}
