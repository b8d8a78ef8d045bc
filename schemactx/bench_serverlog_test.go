package schemactx_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// BenchmarkCompareServerLog is BenchmarkCompare with Roles in place of raw. It measures what it
// costs to show the tenant in the server's log. "off" compared with itself shows the noise;
// ratio-to-raw is the ratio to off.
//
//	go test -run '^$' -bench 'CompareServerLog' -benchtime 40x ./schemactx
func BenchmarkCompareServerLog(b *testing.B) {
	const tenants = 10
	f := newFleet(b)
	for _, mode := range []struct {
		name    string
		options []func(*pgxpool.Config)
	}{{"prepared", nil}, {"unnamed", []func(*pgxpool.Config){unprepared}}} {
		off := openConfigured(b, f, schemactx.Config{}, mode.options...)
		off.warm(b, tenants)
		for _, way := range []struct {
			name string
			cfg  schemactx.Config
		}{
			{"off", schemactx.Config{}},
			{"name", schemactx.Config{ServerLog: schemactx.ServerLogApplicationName}},
			{"request", schemactx.Config{
				ServerLog: schemactx.ServerLogApplicationName,
				RequestID: func(context.Context) string { return "0198f3c2aa5d7c1e9b1f" },
			}},
			{"comment", schemactx.Config{ServerLog: schemactx.ServerLogComment}},
		} {
			r := openConfigured(b, f, way.cfg, mode.options...)
			r.warm(b, tenants)
			for _, goroutines := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/%s/goroutines=%d", mode.name, way.name, goroutines), func(b *testing.B) {
					compare(b, goroutines, off.student(tenants), r.student(tenants))
				})
			}
		}
	}
}
