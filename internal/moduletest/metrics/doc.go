// Package metrics runs the tests of the module tenancy/metrics.
package metrics
