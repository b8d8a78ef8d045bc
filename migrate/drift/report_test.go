package drift_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/migrate/drift"
)

func TestReportAsTextSaysWhyASchemaWasNotCompared(t *testing.T) {
	t.Parallel()
	var report drift.Report
	report.Add(drift.Result{Schema: "tenant_a", State: drift.Equal})
	report.Add(drift.Result{Schema: "tenant_b", State: drift.Failed, Err: errors.New("papers is locked")})
	assert.Equal(t, "tenant_b: failed: papers is locked\n1 of 2 schemas are equal\n", report.String())
}
