package backup

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

func TestABoundIsReadAsTheServerPrintsIt(t *testing.T) {
	t.Parallel()
	text := func(s string) archive.Datum { return archive.Datum{Text: s} }
	for sql, want := range map[string]archive.Bound{
		"DEFAULT": {},
		"FOR VALUES IN (1, '-2', NULL, true, 'it''s, (x)', '', 'd\\e', B'101')": {
			Strategy: archive.StrategyList,
			Values: []archive.Datum{
				text("1"), text("-2"),
				{Kind: archive.DatumNull},
				text("true"), text("it's, (x)"), text(""), text("d\\e"),
				text("101"),
			},
		},
		"FOR VALUES FROM ('2030-01-01 00:00:00+00', MINVALUE) TO ('NULL', MAXVALUE)": {
			Strategy: archive.StrategyRange, From: []archive.Datum{text("2030-01-01 00:00:00+00"), {Kind: archive.DatumMin}},
			To: []archive.Datum{text("NULL"), {Kind: archive.DatumMax}},
		},
		"FOR VALUES WITH (modulus 4, remainder 3)": {Strategy: archive.StrategyHash, Modulus: 4, Remainder: 3},
	} {
		have, err := parseBound(sql)
		require.NoError(t, err, sql)
		assert.Equal(t, want, have)
	}
	for _, sql := range []string{
		"", "DEFAULT ", "FOR VALUES IN ()", "FOR VALUES IN (1", "FOR VALUES IN ('a)", "FOR VALUES IN (1) x",
		"FOR VALUES IN (f(1))",
		"FOR VALUES FROM (1) TO", "FOR VALUES WITH (modulus -1, remainder 0)",
		"FOR VALUES WITH (modulus 99999999999, remainder 0)",
		"FOR VALUES IN (1,2)", "FOR VALUES IN ('a'::text)",
	} {
		_, err := parseBound(sql)
		assert.ErrorIs(t, err, errBoundText, sql)
	}
}

// A bound that is parsed and written as SQL is parsed to the same bound again.
func FuzzABoundIsReadAgain(f *testing.F) {
	f.Add("FOR VALUES IN (1, NULL, 'it''s')")
	f.Add("FOR VALUES FROM (MINVALUE, 'x') TO (1, MAXVALUE)")
	f.Add("FOR VALUES WITH (modulus 4, remainder 3)")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseBound(text)
		if err != nil {
			return
		}
		again, err := parseBound(boundSQL(b))
		require.NoError(t, err, boundSQL(b))
		assert.Equal(t, b, again)
	})
}
