package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// output creates metrics from numbers.
type output struct {
	ch  chan<- prometheus.Metric
	top int // how many tenants a gauge has by name
}

func (o output) counter(d *prometheus.Desc, value float64, labels ...string) {
	o.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func (o output) gauge(d *prometheus.Desc, value float64, labels ...string) {
	o.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// tenants emits the counts of the hooks.
func (o output) tenants(named []series, buckets []float64) {
	for _, s := range named {
		count := func(c cell) float64 { return float64(s.cells[c]) }
		o.counter(descStatements, count(cellStatements), s.name)
		o.counter(descUnits, count(cellUnits), s.name)
		o.counter(descWait, time.Duration(s.cells[cellWait]).Seconds(), s.name)
		o.counter(descAttempts, count(cellAttempts), s.name)
		o.counter(descEscapes, count(cellEscapes), s.name)
		o.counter(descSwitches, count(cellSwitches), s.name)
		o.counter(descLogins, count(cellLoginFailures), s.name)
		o.gauge(descHeld, float64(s.held), s.name)
		for i, class := range errorClasses {
			o.some(descErrors, s.cells[cellErrors+cell(i)], s.name, class)
		}
		for i, decision := range decisionNames {
			o.some(descDecisions, s.cells[cellDecisions+cell(i)], s.name, decision)
		}
		for i, class := range statusClassNames {
			o.some(descRequests, s.cells[cellRequests+cell(i)], s.name, class)
		}
		o.histogram(s, buckets)
	}
}

// some emits a counter of a class unless it is zero, because most tenants never have most classes.
// For other it emits every class.
func (o output) some(d *prometheus.Desc, value uint64, tenant, class string) {
	if value > 0 || tenant == otherName {
		o.counter(d, float64(value), tenant, class)
	}
}

func (o output) histogram(s series, bounds []float64) {
	cumulative, total := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, bound := range bounds {
		total += s.cells[cellBuckets+cell(i)]
		cumulative[bound] = total
	}
	total += s.cells[cellBuckets+cell(len(bounds))]
	if total == 0 && s.name != otherName {
		return
	}
	sum := time.Duration(s.cells[cellDuration]).Seconds()
	o.ch <- prometheus.MustNewConstHistogram(descDuration, total, sum, cumulative, s.name)
}

// info emits pgtenant_tenant_info for each value of the label tenant that is shown.
func (o output) info(w *watch, shown map[string]bool) {
	var p *tenantList
	if w != nil {
		p = w.tenants.Load()
	}
	for name := range shown {
		slug := name
		if p != nil {
			if r, ok := p.bySchema[name]; ok && r.slug != otherName && r.slug != noneName && r.slug != publicName {
				slug = r.slug
			}
		}
		o.gauge(descInfo, 1, name, label(slug))
	}
}
