// Package dashboardtest tests the dashboard and the alerts of package tenancy/metrics: with
// Prometheus' own parser, with promtool, and on a real Prometheus that scrapes a real program.
//
// It is a separate module, so that Prometheus and its dependencies are in neither the go.mod nor
// the go.sum of programs that import pgtenant.
package dashboardtest
