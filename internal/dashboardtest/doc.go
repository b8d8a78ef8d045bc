// Package dashboardtest holds the tests of the dashboard and the alerts of package tenancy/metrics:
// with Prometheus' own parser, with promtool, and on a real Prometheus that scrapes a real program.
//
// It is a module of its own, so that Prometheus and what it brings reach neither the go.mod nor the
// go.sum of those who import pgtenant.
package dashboardtest
