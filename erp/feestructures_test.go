package erp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
)

func TestListFeeStructuresFiltered(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	structures := erp.NewFeeStructures(f.db)
	one, _ := f.addClass(t, f.a, "1", 0)
	two, _ := f.addClass(t, f.a, "2", 0)
	for _, n := range []erp.NewFeeStructure{
		{ClassID: one, Name: "Tuition", Term: "Autumn", AmountMinor: 1, Currency: "EUR"},
		{ClassID: one, Name: "School bus", Term: "Autumn", AmountMinor: 1, Currency: "EUR"},
		{ClassID: two, Name: "Tuition", Term: "Spring", AmountMinor: 1, Currency: "JPY"},
	} {
		_, err := structures.Create(ctx, n)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		filter erp.FeeStructureFilter
		want   []int64
	}{
		"all":          {erp.FeeStructureFilter{}, []int64{1, 2, 3}},
		"class":        {erp.FeeStructureFilter{ClassID: one}, []int64{1, 2}},
		"term":         {erp.FeeStructureFilter{Term: "Spring"}, []int64{3}},
		"search":       {erp.FeeStructureFilter{Search: "TUI"}, []int64{1, 3}},
		"no pattern":   {erp.FeeStructureFilter{Search: "%"}, nil},
		"contradicted": {erp.FeeStructureFilter{ClassID: two, Term: "Autumn"}, nil},
	} {
		got, _, err := structures.List(ctx, c.filter, erp.Page{})
		if !assert.NoError(t, err, "%s: %+v", name, got) || !assert.Len(t, got, len(c.want), name) {
			continue
		}
		for i, structure := range got {
			assert.Equal(t, c.want[i], structure.ID, "%s: %+v", name, got)
		}
	}
}

func TestInvalidFeeStructuresAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx := asSystem(f.a)
	structures := erp.NewFeeStructures(f.db)
	class, _ := f.addClass(t, f.a, "1", 0)
	_, err := structures.Create(ctx, tuition(class))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change   func(n *erp.NewFeeStructure)
		field    string
		conflict bool
	}{
		"twice":         {func(*erp.NewFeeStructure) {}, "name", true},
		"no class":      {func(n *erp.NewFeeStructure) { n.ClassID = 0 }, "class_id", false},
		"other's class": {func(n *erp.NewFeeStructure) { n.ClassID = 99 }, "class_id", false},
		"no name":       {func(n *erp.NewFeeStructure) { n.Name = "" }, "name", false},
		"no term":       {func(n *erp.NewFeeStructure) { n.Term = "" }, "term", false},
		"no amount":     {func(n *erp.NewFeeStructure) { n.AmountMinor = 0 }, "amount_minor", false},
		"no currency":   {func(n *erp.NewFeeStructure) { n.Currency = "" }, "currency", false},
	} {
		n := tuition(class)
		c.change(&n)
		_, err := structures.Create(ctx, n)
		expectInputError(t, name, err, c.field, c.conflict)
	}
	require.NoError(t, structures.Delete(ctx, 1, erp.AnyVersion))
	_, err = structures.Get(ctx, 1)
	assert.ErrorIs(t, err, erp.ErrNotFound, "deleted")
}
