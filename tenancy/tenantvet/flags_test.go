package tenantvet_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

func TestFlagsForSchemasAndTests(t *testing.T) {
	t.Parallel()
	analysistest.Run(t, dir(t), analyzer(t, "tenantsql", "schemas", "school_[a-z]", "tests", "true"), "./flags")
}
