package archive_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// partitioned returns a header with partitions of every strategy.
func partitioned() archive.Header {
	h := students()
	h.Tables[0].Partitioned = true
	value := func(s string) []archive.Datum { return []archive.Datum{{Text: s}} }
	h.Partitions = []archive.Partition{
		{Name: "p1", Parent: "students", Bound: archive.Bound{
			Strategy: archive.StrategyRange, From: value("1"),
			To: []archive.Datum{{Kind: archive.DatumMax}},
		}, Key: &archive.PartitionKey{Strategy: archive.StrategyList, Columns: []string{"name"}}},
		{Name: "p2", Parent: "p1", Bound: archive.Bound{
			Strategy: archive.StrategyList,
			Values:   []archive.Datum{{Text: ""}, {Kind: archive.DatumNull}},
		}},
		{Name: "p3", Parent: "p1", Key: &archive.PartitionKey{Strategy: archive.StrategyHash, Columns: []string{"id", "id"}}},
		{Name: "p4", Parent: "p3", Bound: archive.Bound{Strategy: archive.StrategyHash, Modulus: 2, Remainder: 1}},
	}
	h.LeftOut = []string{"django_migrations"}
	return h
}

func TestPartitionsAreOfVersionTwo(t *testing.T) {
	t.Parallel()
	h := partitioned()
	packed := pack(t, h, content, archive.WriterOptions{})
	r, _, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{})
	require.NoError(t, err)
	assert.Equal(t, 2, r.Header().Version)
	assert.Equal(t, 2, r.Manifest().Version)
	assert.Equal(t, h.Partitions, r.Header().Partitions)
	assert.Equal(t, h.LeftOut, r.Header().LeftOut)

	all := entries(t, packed)
	all[0].body = strings.Replace(all[0].body, `"version": 2`, `"version": 1`, 1)
	_, err = archive.NewReader(bytes.NewReader(repack(t, all)), archive.ReaderOptions{})
	expectFormat(t, err, "header.json", "version 1 has no partitions")
}

func TestInvalidPartitionsAreRefused(t *testing.T) {
	t.Parallel()
	for reason, alter := range map[string]func(h *archive.Header){
		`name "students" occurs twice`:   func(h *archive.Header) { h.Partitions[0].Name = "students" },
		`name "p1" occurs twice`:         func(h *archive.Header) { h.Partitions[1].Name = "p1" },
		"is not 1 to 63 bytes":           func(h *archive.Header) { h.Partitions[0].Name = "" },
		`the parent "p3", which is not`:  func(h *archive.Header) { h.Partitions[0].Parent = "p3" },
		`the parent "Odd / name", which`: func(h *archive.Header) { h.Partitions[0].Parent = "Odd / name" },
		"its parent list":                func(h *archive.Header) { h.Partitions[1].Bound = h.Partitions[0].Bound },
		"bound has a field":              func(h *archive.Header) { h.Partitions[1].Bound.Modulus = 1 },
		"lacks one that it requires":     func(h *archive.Header) { h.Partitions[0].Bound.To = nil },
		"its strategy does not allow":    func(h *archive.Header) { h.Partitions[3].Bound.Remainder = 2 },
		`strategy "by force" is not`:     func(h *archive.Header) { h.Partitions[0].Bound.Strategy = "by force" },
		`of kind "maxvalue"`: func(h *archive.Header) {
			h.Partitions[1].Bound.Values[0] = archive.Datum{Kind: archive.DatumMax}
		},
		`of kind "sql"`: func(h *archive.Header) {
			h.Partitions[1].Bound.Values[0] = archive.Datum{Kind: "sql", Text: "now()"}
		},
		`"a\x00" of kind`:            func(h *archive.Header) { h.Partitions[1].Bound.Values[0].Text = "a\x00" },
		`"\xff" of kind`:             func(h *archive.Header) { h.Partitions[1].Bound.Values[0].Text = "\xff" },
		`strategy "" is not known`:   func(h *archive.Header) { h.Partitions[0].Key.Strategy = "" },
		"key has 0 columns":          func(h *archive.Header) { h.Partitions[0].Key.Columns = nil },
		`name "" is not`:             func(h *archive.Header) { h.Partitions[0].Key.Columns = []string{""} },
		`"django_migrations" occurs`: func(h *archive.Header) { h.LeftOut = append(h.LeftOut, h.LeftOut...) },
	} {
		h := partitioned()
		alter(&h)
		_, err := archive.NewWriter(io.Discard, h, archive.WriterOptions{})
		assert.ErrorContains(t, err, reason)
	}
	h := partitioned()
	packed := pack(t, h, content, archive.WriterOptions{})
	_, _, err := unpack(bytes.NewReader(packed), archive.ReaderOptions{Limits: archive.Limits{Tables: 3}})
	require.ErrorIs(t, err, archive.ErrLimit)
}
