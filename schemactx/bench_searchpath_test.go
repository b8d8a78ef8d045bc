package schemactx_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// BenchmarkCompareSearchPath is BenchmarkCompare with Roles in place of raw. It measures what
// schemas on the path cost a read that needs none of them. "none" compared with itself shows the
// noise; ratio-to-raw is the ratio to none.
//
//	go test -run '^$' -bench 'CompareSearchPath' -benchtime 40x ./schemactx
func BenchmarkCompareSearchPath(b *testing.B) {
	const tenants = 10
	f := newFleet(b)
	_, err := f.pg.Pool.Exec(
		b.Context(),
		`create schema extensions; create schema reference; grant usage on schema extensions, reference to public`,
	)
	require.NoError(b, err)
	none := openConfigured(b, f, schemactx.Config{})
	none.warm(b, tenants)
	for _, way := range []struct {
		name  string
		extra []string
	}{{"none", nil}, {"one", []string{"extensions"}}, {"three", []string{"extensions", "public", "reference"}}} {
		r := openConfigured(b, f, schemactx.Config{ExtraSearchPath: way.extra})
		r.warm(b, tenants)
		for _, goroutines := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", way.name, goroutines), func(b *testing.B) {
				compare(b, goroutines, none.student(tenants), r.student(tenants))
			})
		}
	}
}
