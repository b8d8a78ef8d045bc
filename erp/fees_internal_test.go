package erp

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// FuzzFeeParams checks that each parameter of a list of fees is refused by name or parsed to an
// existing day or status.
func FuzzFeeParams(f *testing.F) {
	f.Add("status=overdue&due_before=2026-02-28&due_after=0000-01-01")
	f.Add("status=late&due_before=2026-02-30")
	f.Add("due_before=9999-12-31T00:00:00Z&due_after=+2026-01-01")
	f.Fuzz(func(t *testing.T, query string) {
		p := readParams(&http.Request{URL: &url.URL{RawQuery: query}})
		status, before, after := oneOf(p, "status", feeStatuses), p.day("due_before"), p.day("due_after")
		if err := p.err(); err != nil {
			var refused *InputError
			if assert.ErrorAs(t, err, &refused, "%q", query) {
				assert.NotEmpty(t, refused.Fields, "%q", query)
			}
			return
		}
		if status != "" {
			assert.Contains(t, feeStatuses, status, "%q accepts %q", query, status)
		}
		for _, day := range []*Date{before, after} {
			if day == nil {
				continue
			}
			again, err := time.Parse(time.DateOnly, day.String())
			if assert.NoError(t, err, "%q accepts %s", query, day) {
				assert.WithinDuration(t, day.Time, again, 0, "%q accepts %s", query, day)
			}
		}
	})
}
