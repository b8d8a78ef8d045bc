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

// sum returns the sum of the series that have all of the labels, which are given as name and value.
// ok is false if there is no such series.
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

// count returns sum as an integer, or 0 if there is no such series.
func (g metricValues) count(name string, labels ...string) int64 {
	n, _ := g.sum(name, labels...)
	return int64(n)
}

// timestamp returns the time of a gauge in Unix seconds, or the zero time if the gauge is 0.
func (g metricValues) timestamp(name string, labels ...string) time.Time {
	if n := g.count(name, labels...); n > 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}
