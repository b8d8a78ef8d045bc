package console

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// metricValues are the current metrics by name.
type metricValues map[string][]*dto.Metric

func look(g prometheus.Gatherer) (metricValues, error) {
	families, err := g.Gather()
	if err != nil {
		return nil, err
	}
	all := make(metricValues)
	for _, f := range families {
		all[f.GetName()] = f.GetMetric()
	}
	return all, nil
}

// sum adds up the series that have all of the labels, given as name and value. ok is false where
// there is none.
func (g metricValues) sum(name string, labels ...string) (total float64, ok bool) {
	for _, m := range g[name] {
		if !has(m, labels) {
			continue
		}
		ok = true
		total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return total, ok
}

func has(m *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// count is sum as a whole number, 0 if there is none.
func (g metricValues) count(name string, labels ...string) int64 {
	n, _ := g.sum(name, labels...)
	return int64(n)
}

// moment is a gauge of seconds since 1970; the zero time if it is 0.
func (g metricValues) moment(name string, labels ...string) time.Time {
	if n := g.count(name, labels...); n > 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}
