package erp

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// FuzzFeeParams checks that the parameters of fees are refused by name, or are days and statuses that there are.
func FuzzFeeParams(f *testing.F) {
	f.Add("status=overdue&due_before=2026-02-28&due_after=0000-01-01")
	f.Add("status=late&due_before=2026-02-30")
	f.Add("due_before=9999-12-31T00:00:00Z&due_after=+2026-01-01")
	f.Fuzz(func(t *testing.T, query string) {
		p := readParams(&http.Request{URL: &url.URL{RawQuery: query}})
		status, before, after := oneOf(p, "status", feeStatuses), p.day("due_before"), p.day("due_after")
		if err := p.err(); err != nil {
			var refused *InputError
			if !errors.As(err, &refused) || len(refused.Fields) == 0 {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		if status != "" && !slices.Contains(feeStatuses, status) {
			t.Errorf("%q lets %q through", query, status)
		}
		for _, day := range []*Date{before, after} {
			if day == nil {
				continue
			}
			if again, err := time.Parse(time.DateOnly, day.String()); err != nil || !again.Equal(day.Time) {
				t.Errorf("%q lets %s through: %v", query, day, err)
			}
		}
	})
}
