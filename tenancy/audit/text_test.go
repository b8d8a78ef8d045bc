package audit_test

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// hostile has texts that a client could send to damage or escape the log.
var hostile = []string{
	"",
	"a\x00b",
	"\xff\xfe",
	"\xed\xa0\x80",
	"'; drop table audit_log; --",
	"$1",
	`\`,
	`"`,
	`{"a":1}`,
	"a\nb\r\n\tc",
	"\u202e",
	"\U0001F600",
	"\u2028",
	strings.Repeat(
		"x",
		100<<10,
	),
	strings.Repeat("\x00", 5000),
	strings.Repeat("é", 5000),
	"\\x00",
	`\u0000`,
	"=cmd|' /C calc'!A0",
	"\x7f\x1b[31m",
}

func TestNoTextBreaksTheLog(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	for i, text := range hostile {
		e := audit.Entry{
			Tenant: int64(i + 1), Slug: text, Schema: text, Action: audit.LoginFailed, Actor: text, RequestID: text,
			Details: map[string]any{"text": text, text: 1, "nested": map[string]any{text: []any{text}}},
		}
		require.NoError(t, l.Record(t.Context(), e))
		require.NoError(t, l.Write(t.Context(), e))
		r := request(http.MethodGet, "http://a.example.com/")
		r.URL.Path, r.Host, r.Method = "/"+text, text, text
		serve(
			l,
			audit.MiddlewareConfig{
				Actor:     func(*http.Request) string { return text },
				RequestID: func(*http.Request) string { return text },
			},
			answer(http.StatusOK),
			r,
		)
	}
	require.NoError(t, l.Flush(t.Context()))
	for _, r := range f.list(t, audit.Filter{}) {
		for _, text := range []string{r.Slug, r.Schema, r.Actor, r.RequestID} {
			if assert.LessOrEqual(t, len(text), audit.MaxText, "%q", text) &&
				assert.True(t, utf8.ValidString(text), "got %q", text) {
				assert.False(t, strings.ContainsRune(text, 0), "got %q", text)
			}
		}
		details, _ := json.Marshal(r.Details)
		assert.LessOrEqual(t, len(details), 2*audit.MaxDetails, "%d bytes of details", len(details))
	}
	for i := range hostile {
		n := f.count(t, "tenant_id = $1 and action = 'login_failed'", i+1)
		assert.Equal(t, 2, n, "rows of %q", hostile[i][:min(20, len(hostile[i]))])
	}
	assert.Len(t, hostile, f.count(t, "action = 'schema_access'"))
	f.verify(t)
	var lines, sheet bytes.Buffer
	n, err := f.reader.Export(t.Context(), &lines, audit.Filter{}, audit.JSONLines)
	require.NoError(t, err)
	got := bytes.Count(lines.Bytes(), []byte("\n"))
	assert.Equal(t, n, int64(got), "%d lines for %d records", got, n)
	_, err = f.reader.Export(t.Context(), &sheet, audit.Filter{}, audit.CSV)
	require.NoError(t, err)
	assert.NotContains(t, sheet.String(), ",=cmd", "a formula is in the export")
	assert.Contains(t, sheet.String(), ",'=cmd", "a formula is in the export")
}

// The same texts through a spill, which uses another path to the database.
func TestNoTextBreaksTheSpill(t *testing.T) {
	t.Parallel()
	f := setup(t)
	back := f.away(t)
	dir := t.TempDir() + "/spill"
	l, err := audit.Open(t.Context(), f.db, audit.Config{Spill: audit.SpillConfig{Dir: dir}})
	require.NoError(t, err)
	for _, text := range hostile {
		require.NoError(
			t,
			l.Record(
				t.Context(),
				audit.Entry{
					Tenant:  1,
					Action:  audit.LoginFailed,
					Actor:   text,
					IP:      netip.IPv6Loopback(),
					Details: map[string]any{text: text},
				},
			),
		)
	}
	closeLog(t, l)
	back()
	f.replay(t, dir)
	n := f.count(t, "tenant_id = 1")
	assert.Equal(t, len(hostile), n, "%d rows", n)
	f.verify(t)
}

func TestDetailsAreStoredUnchanged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	deep := any("bottom")
	for range 5000 {
		deep = []any{deep}
	}
	for _, v := range []any{
		0, -1, 1.5, math.Copysign(0, -1), 1e21, 1e-7, 1e308, 5e-324, math.MaxInt64, uint64(math.MaxUint64),
		json.Number("1.50"), json.Number("-0"),
		json.Number("1e400"), json.Number("1E+2"), json.Number("123456789012345678901234567890.10"), true, nil,
		[]int{},
		map[string]int{"b": 1, "a": 2, "": 3},
		deep,
	} {
		require.NoError(t,
			l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Configuration, Details: map[string]any{"v": v}}))
	}
	expectField(
		t,
		l.Record(t.Context(), audit.Entry{Action: audit.Login, Details: map[string]any{"f": func() {}}}),
		"details",
	)
	expectField(
		t,
		l.Record(t.Context(), audit.Entry{Action: audit.Login, Details: map[string]any{"n": math.NaN()}}),
		"details",
	)
	require.NoError(
		t,
		l.Record(
			t.Context(),
			audit.Entry{Tenant: 1, Action: audit.Configuration, Details: map[string]any{"v": strings.Repeat("x", 10<<20)}},
		),
	)
	require.NoError(t, l.Flush(t.Context()))
	assert.Equal(t, 1, f.count(t, "details->>'truncated_text' like '{\"v\":\"xxx%'"),
		"the beginning of 10 MB of details is missing")
	assert.Equal(t, 21, f.count(t, "tenant_id = 1"), "rows")
	// a number that is too large, a value that is nested too deeply, and one that is too long
	assert.Equal(t, 3, f.count(t, "details ? 'truncated_bytes'"), "are cut")
	f.verify(t)
}

func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	require.NoError(t,
		l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Configuration, Details: map[string]any{
			"Password":     "hunter2",
			"list":         []any{map[string]any{"api-key": "hunter2", "Set-Cookie": []string{"hunter2"}}},
			"user":         "ada",
			"access_token": map[string]any{"x": "hunter2"},
		}}))
	require.NoError(t, l.Record(t.Context(), audit.Entry{Tenant: 1, Action: audit.Configuration, Details: map[string]any{
		"password": "hunter2", "long": strings.Repeat("x", audit.MaxDetails),
	}}))
	require.NoError(t, l.Flush(t.Context()))
	assert.Equal(t, 0, f.count(t, "details::text ~ 'hunter2'"), "rows hold a secret")
	assert.Equal(t, 1, f.count(t, "details->>'Password' = '[redacted]' and details->>'user' = 'ada'"),
		"the rest is missing")
}

func TestInvalidEntriesAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	for field, e := range map[string]audit.Entry{
		"action": {Action: "Drop Table"}, "tenant": {Action: audit.Login, Tenant: -1},
	} {
		expectField(t, l.Record(t.Context(), e), field)
		expectField(t, l.Write(t.Context(), e), field)
		expectField(t, l.WriteTx(t.Context(), nil, e), field)
	}
	for _, action := range []audit.Action{
		"", audit.LogOpened, audit.LogClosed, audit.LogLost, audit.Action(strings.Repeat("a", 65)), "é", "a\x00",
	} {
		expectField(t, l.Record(t.Context(), audit.Entry{Action: action}), "action")
	}
	require.NoError(t, l.Flush(t.Context()))
	assert.Equal(t, 0, f.count(t, "true"), "rows")
}
