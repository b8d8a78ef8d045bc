package migrate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
)

// BenchmarkIndex compares runs with and without the central index, in turns. See BENCHMARKS.md.
func BenchmarkIndex(b *testing.B) {
	f := newBenchFleet(b)
	withIndex := func(cfg *migrate.Config) { cfg.Index = migrate.CentralIndex }
	watched := func(cfg *migrate.Config) { cfg.Index = migrate.WatchedIndex }
	b.Run("nothing pending", func(b *testing.B) {
		f.nothingBoth(b, f.runner(b, nil), f.runner(b, withIndex))
	})
	b.Run("nothing pending, watched", func(b *testing.B) {
		f.nothingBoth(b, f.runner(b, nil), f.runner(b, watched))
	})
	b.Run("one migration", func(b *testing.B) {
		var plain, with []time.Duration
		drop := f.runner(b, nil)
		for b.Loop() {
			checkB(b, drop.DropIndex(b.Context()))
			plain = append(plain, f.upAllOf(b, nil))
			f.survey(b, f.runner(b, withIndex)) // makes triggers and entries
			with = append(with, f.upAllOf(b, withIndex))
		}
		b.ReportMetric(float64(medianOf(plain).Microseconds())/float64(len(f.schemas)), "µs/tenant")
		b.ReportMetric(float64(medianOf(with).Microseconds())/float64(len(f.schemas)), "index-µs/tenant")
		b.ReportMetric(medianOf(with).Seconds()/medianOf(plain).Seconds(), "x")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkWatchedDDL is what a new tenant of twenty files, with its indexes and foreign keys, and its drop cost under the watch of an
// index, and without it, in turns. It reports medians, and medians of the ratios of neighbours.
func BenchmarkWatchedDDL(b *testing.B) {
	pg := pgtest.New(b)
	r, err := migrate.New(pg.Pool, migrate.Config{Tenant: []migrate.Source{source("app", twenty())}, Index: migrate.WatchedIndex})
	checkB(b, err)
	checkB(b, r.MakeIndex(b.Context()))
	exec := func(sql string) time.Duration {
		start := time.Now()
		_, err := pg.Pool.Exec(b.Context(), sql, pgx.QueryExecModeSimpleProtocol)
		checkB(b, err)
		return time.Since(start)
	}
	var made, dropped, madeRatio, droppedRatio []float64
	for n := range b.N + 1 {
		var times [2][2]time.Duration // made and dropped, without the watch and with it
		for i := range 2 {
			w := (i + n) % 2
			for _, name := range []string{"altered", "dropped"} {
				exec("alter event trigger pgtenant_index_" + name + map[int]string{0: " disable", 1: " enable always"}[w])
			}
			exec("create schema tenant_1")
			start := time.Now()
			checkB(b, r.Migrate(b.Context(), "tenant_1"))
			times[0][w] = time.Since(start)
			times[1][w] = exec("drop schema tenant_1 cascade")
		}
		if n > 0 { // the first is to warm up
			made, dropped = append(made, ms(times[0][1])), append(dropped, ms(times[1][1]))
			madeRatio = append(madeRatio, times[0][1].Seconds()/times[0][0].Seconds())
			droppedRatio = append(droppedRatio, times[1][1].Seconds()/times[1][0].Seconds())
		}
	}
	b.ReportMetric(median(made), "new-ms")
	b.ReportMetric(median(madeRatio), "new-x")
	b.ReportMetric(median(dropped), "drop-ms")
	b.ReportMetric(median(droppedRatio), "drop-x")
	b.ReportMetric(0, "ns/op")
}

// nothingBoth measures runs with nothing to do.
func (f *benchFleet) nothingBoth(b *testing.B, plain, with *migrate.Runner) {
	b.ReportMetric(ms(f.survey(b, with)), "ms-to-make")
	f.survey(b, with)
	_, err := f.pool.Exec(b.Context(), "vacuum analyze")
	checkB(b, err)
	var slow, fast, only []time.Duration
	for b.Loop() {
		slow = append(slow, f.survey(b, plain))
		fast = append(fast, f.survey(b, with))
		start := time.Now()
		n := 0
		for s, err := range with.Fleet(b.Context(), migrate.Schemas(f.schemas...)) {
			checkB(b, err)
			if n++; s.Outcome != migrate.Current {
				b.Fatal(s)
			}
		}
		only = append(only, time.Since(start))
	}
	meter := newCPUMeter(b, f)
	cpu := func(r *migrate.Runner) float64 {
		before := meter.read()
		for range 20 {
			f.survey(b, r)
		}
		return ms(meter.read()-before) / 20
	}
	b.ReportMetric(cpu(plain), "tables-cpu-ms")
	b.ReportMetric(cpu(with), "index-cpu-ms")
	b.ReportMetric(ms(slices.Min(fast)), "index-least-ms")
	b.ReportMetric(ms(medianOf(slow)), "tables-ms")
	b.ReportMetric(ms(medianOf(fast)), "index-ms")
	b.ReportMetric(ms(medianOf(only)), "fleet-ms")
	b.ReportMetric(0, "ns/op")
}

// survey measures a run that finds all schemas current.
func (f *benchFleet) survey(b *testing.B, r *migrate.Runner) time.Duration {
	b.Helper()
	start := time.Now()
	report, err := r.UpAll(b.Context(), migrate.Schemas(f.schemas...), migrate.UpAllOptions{})
	if err != nil || report.Current != len(f.schemas) {
		b.Fatal(report.Summary(), err)
	}
	return time.Since(start)
}

// upAllOf measures one more migration of all schemas, from new connections.
func (f *benchFleet) upAllOf(b *testing.B, change func(cfg *migrate.Config)) time.Duration {
	b.Helper()
	f.next()
	r := f.runner(b, change)
	f.pool.Reset()
	start := time.Now()
	report, err := r.UpAll(b.Context(), migrate.Schemas(f.schemas...), migrate.UpAllOptions{Workers: 2})
	took := time.Since(start)
	checkB(b, err)
	if report.Count(migrate.Migrated) != len(f.schemas) {
		b.Fatalf("%s", report.Summary())
	}
	return took
}
