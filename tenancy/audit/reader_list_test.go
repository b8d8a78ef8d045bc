package audit_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

func TestAListIsFilteredAndPaged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range 30 {
		require.NoError(t, l.Record(t.Context(), audit.Entry{
			Tenant: int64(i%3 + 1),
			Action: []audit.Action{audit.Login, audit.Backup}[i%2],
			Actor:  []string{"ada", "grace"}[i%2],
			// several entries have the same time
			Time: begin.Add(
				time.Duration(i/5) * time.Second,
			),
			IP:        netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}),
			RequestID: itoa(i),
		}))
	}
	require.NoError(t, l.Flush(t.Context()))
	for name, c := range map[string]struct {
		filter audit.Filter
		want   int
	}{
		"tenant":     {audit.Filter{Tenants: []int64{2}}, 10},
		"tenants":    {audit.Filter{Tenants: []int64{1, 2}}, 20},
		"platform":   {audit.Filter{Tenants: []int64{0}}, 1},
		"action":     {audit.Filter{Actions: []audit.Action{audit.Login}}, 15},
		"actions":    {audit.Filter{Actions: []audit.Action{audit.Login, audit.Backup}}, 30},
		"actor":      {audit.Filter{Actor: "grace"}, 15},
		"since":      {audit.Filter{Since: begin.Add(2 * time.Second), Until: begin.Add(time.Minute)}, 20},
		"until":      {audit.Filter{Until: begin.Add(2 * time.Second)}, 10},
		"address":    {audit.Filter{IP: netip.MustParsePrefix("192.0.2.7/32")}, 1},
		"network":    {audit.Filter{IP: netip.MustParsePrefix("192.0.2.0/28")}, 16},
		"request":    {audit.Filter{RequestID: "7"}, 1},
		"injection":  {audit.Filter{Actor: "' or true --"}, 0},
		"everything": {audit.Filter{}, 31},
		"all of it": {audit.Filter{
			Tenants: []int64{2}, Actions: []audit.Action{audit.Backup}, Actor: "grace", Since: begin,
			Until: begin.Add(time.Minute), IP: netip.MustParsePrefix("192.0.2.0/24"),
			RequestID: "1",
		}, 1},
	} {
		for _, order := range []audit.Order{audit.Oldest, audit.Newest} {
			var ids []string
			for _, limit := range []int{0, 4} {
				c.filter.Order, c.filter.Limit = order, limit
				got := f.list(t, c.filter)
				assert.Len(t, got, c.want, "%s: %d records, want", name, len(got))
				assert.True(t, slices.IsSortedFunc(got, func(a, b audit.Record) int {
					if order == audit.Newest {
						a, b = b, a
					}
					return a.Time.Compare(b.Time)
				}), "%s: not in order", name)
				var these []string
				for _, r := range got {
					these = append(these, r.RequestID)
				}
				if limit > 0 {
					assert.Equal(t, ids, these, "%s: by pages it is %v, else", name, these)
				}
				ids = these
			}
		}
	}
}

func TestInvalidFiltersAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for field, filter := range map[string]audit.Filter{
		"limit": {Limit: audit.MaxPageSize + 1}, "order": {Order: 7},
		"actions": {Actions: []audit.Action{"x y"}}, "actor": {Actor: "\x00"},
		"request_id": {RequestID: "\xff"}, "after": {After: "nonsense!"}, "since": {Since: time.Now().AddDate(10000, 0, 0)},
	} {
		_, err := f.reader.List(t.Context(), filter)
		expectField(t, err, field)
	}
	for _, after := range []audit.Cursor{"AAAA", audit.Cursor(bytes.Repeat([]byte("f"), 43)), "\x00"} {
		_, err := f.reader.List(t.Context(), audit.Filter{After: after})
		expectField(t, err, "after")
	}
	_, err := f.reader.List(t.Context(), audit.Filter{Limit: -1})
	expectField(t, err, "limit")
	_, err = f.reader.Export(t.Context(), &bytes.Buffer{}, audit.Filter{}, 7)
	expectField(t, err, "format")
}

func TestAListEndsWhereItsReaderStops(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fill(t, f.open(t, audit.Config{}), 20, 1)
	n := 0
	for _, err := range f.reader.All(t.Context(), audit.Filter{Limit: 3}) {
		require.NoError(t, err)
		if n++; n == 5 {
			break
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.reader.All(over, audit.Filter{}) {
		assert.ErrorIs(t, err, context.Canceled)
	}
	_, err := f.reader.VerifyAll(over, audit.VerifyOptions{})
	assert.ErrorIs(t, err, context.Canceled)
	_, err = f.reader.Verify(over, 1)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestATenantsLogIsExported(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fill(t, f.open(t, audit.Config{}), 10, 1, 2)
	var lines, sheet bytes.Buffer
	n, err := f.reader.Export(t.Context(), &lines, audit.Filter{Tenants: []int64{1}, Limit: 3}, audit.JSONLines)
	require.NoError(t, err)
	dec := json.NewDecoder(&lines)
	for i := range 10 {
		var line map[string]any
		require.NoError(t, dec.Decode(&line))
		if assert.Equal(t, 1.0, line["tenant"], line) &&
			assert.Equal(t, float64(i+1), line["seq"], line) &&
			assert.Equal(t, float64(i), line["details"].(map[string]any)["n"], line) {
			assert.Len(t, line["hash"].(string), 64, line)
		}
	}
	m, err := f.reader.Export(t.Context(), &sheet, audit.Filter{Tenants: []int64{1}}, audit.CSV)
	require.NoError(t, err)
	rows, err := csv.NewReader(&sheet).ReadAll()
	require.NoError(t, err)
	if assert.Equal(t, int64(10), n, "%d, %d: %v", n, m, rows) &&
		assert.Equal(t, int64(10), m, rows) &&
		assert.Len(t, rows, 11) &&
		assert.Equal(t, "time", rows[0][0]) &&
		assert.Equal(t, "1", rows[1][1]) {
		assert.Equal(t, `{"n":9}`, rows[10][8])
	}
	full := errors.New("disk is full")
	_, err = f.reader.Export(t.Context(), failing{full}, audit.Filter{}, audit.JSONLines)
	assert.ErrorIs(t, err, full)
	_, err = f.reader.Export(t.Context(), failing{full}, audit.Filter{}, audit.CSV)
	assert.ErrorIs(t, err, full)
}

type failing struct{ err error }

func (w failing) Write([]byte) (int, error) { return 0, w.err }
