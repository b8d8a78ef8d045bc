package metrics

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what hooks report and exports it to Prometheus. It is safe for concurrent use and
// may be registered with several registries. Its hooks never fail and never wait for a database.
type Metrics struct {
	cfg      Config
	ledger   *ledger
	watching atomic.Pointer[watch]

	refusals, steps, drops, migrations *prometheus.CounterVec
	runOutcomes                        *prometheus.GaugeVec
	runTotal, runDone                  prometheus.Gauge
	runEnd, runDuration, runExit       prometheus.Gauge
}

var _ prometheus.Collector = (*Metrics)(nil)

// New returns metrics without any counts. An invalid configuration is a [tenancy.FieldError].
//
// [tenancy.FieldError]: https://pkg.go.dev/github.com/oryne/pgtenant/tenancy#FieldError
func New(cfg Config) (*Metrics, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.GaugeOpts { return prometheus.GaugeOpts{Name: name, Help: help} }
	m := &Metrics{
		cfg:      cfg,
		ledger:   newLedger(cfg),
		refusals: counter("pgtenant_refused_requests_total", "Requests that were not served, by reason.", "reason"),
		steps: counter("pgtenant_lifecycle_steps_total", "Steps of operations on tenants, by operation, step and result.",
			"operation", "step", "result"),
		drops: counter("pgtenant_drop_events_total", "Events of drops of tenants, by phase.", "phase"),
		migrations: counter(
			"pgtenant_migrations_total",
			"Schemas that runs of migrations in this process have finished, by outcome.",
			"outcome",
		),
		runOutcomes: prometheus.NewGaugeVec(gauge("pgtenant_migration_run_schemas",
			"Schemas by outcome in the last run of migrations of this process."), []string{"outcome"}),
		runTotal: prometheus.NewGauge(
			gauge("pgtenant_migration_run_planned", "Schemas that the last run of migrations of this process found behind."),
		),
		runDone: prometheus.NewGauge(
			gauge("pgtenant_migration_run_done", "Schemas that the last run of migrations of this process is done with."),
		),
		runEnd: prometheus.NewGauge(gauge("pgtenant_migration_run_end_timestamp_seconds",
			"When the last run of migrations of this process ended; 0: there was none.")),
		runDuration: prometheus.NewGauge(
			gauge("pgtenant_migration_run_duration_seconds", "How long the last run of migrations of this process took."),
		),
		runExit: prometheus.NewGauge(gauge(
			"pgtenant_migration_run_exit_code",
			"The exit code of the last run of migrations of this process: 0 all is current, 1 something failed, "+
				"2 something is left.",
		)),
	}
	for _, reason := range reasons {
		m.refusals.WithLabelValues(reason)
	}
	for _, phase := range dropPhases {
		m.drops.WithLabelValues(label(string(phase)))
	}
	for _, outcome := range outcomes {
		m.migrations.WithLabelValues(label(string(outcome)))
	}
	return m, nil
}

// vectors returns the collectors of client_golang.
func (m *Metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.refusals, m.steps, m.drops, m.migrations, m.runOutcomes, m.runTotal, m.runDone, m.runEnd, m.runDuration, m.runExit,
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.vectors() {
		c.Describe(ch)
	}
	for _, d := range descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. It sends no query.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.vectors() {
		c.Collect(ch)
	}
	w := m.watching.Load()
	named := m.ledger.snapshot(time.Now(), w.gone)
	out := output{ch: ch, top: m.ledger.top}
	out.tenants(named, m.cfg.Buckets)
	out.gauge(descTracked, float64(m.ledger.count.Load()))
	shown := make(map[string]bool, len(named))
	for _, s := range named {
		shown[s.name] = true
	}
	if w != nil {
		out.watch(w, shown)
	}
	out.info(w, shown)
}

// seconds returns a time in the format of Prometheus. The zero time is 0.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
