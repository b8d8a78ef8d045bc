package console

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func TestWarningsOfARestoreAreShownAndLogged(t *testing.T) {
	t.Parallel()
	r := backup.RestoreResult{
		Tenant:   tenancy.Tenant{Slug: "schoola", Schema: "tenant_1_r2"},
		Rows:     7,
		Retained: "tenant_1",
	}
	assert.NotContains(t, restoreText(r), "arning")
	assert.NotContains(t, restoreDetails("a.tar", r), "warnings")

	warning := backup.Warning{Object: "materialized view totals", Reason: "is not populated: division by zero"}
	r.Warnings = []backup.Warning{warning}
	assert.Contains(t, restoreText(r), "below. Warning: materialized view totals is not populated: division by zero.")
	assert.Equal(t, r.Warnings, restoreDetails("a.tar", r)["warnings"])

	r.Warnings = []backup.Warning{warning, warning, warning, warning, warning}
	assert.Contains(t, restoreText(r), " 2 more warnings are in the access log.")
	assert.Len(t, restoreDetails("a.tar", r)["warnings"], 5)
}
