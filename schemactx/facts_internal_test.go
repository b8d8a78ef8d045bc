package schemactx

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestQualifiers(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string][]string{
		"select body from papers":                                             nil,
		"select p.body, q.body from papers p, shared.v as q":                  {"p", "q", "shared"},
		`select 1 from "Shared" . "v""w", Shared /* . */ . v`:                 {"Shared", "shared"},
		"select 1.5, 'a.b', $$c.d$$, -- e.f\n x . y from pg_catalog.pg_class": {"x"},
		"select a.b.c from information_schema.tables":                         {"a", "b"},
	} {
		names, ok := qualifiers(sql)
		assert.True(t, ok, sql)
		assert.Equal(t, want, names, sql)
	}
	for _, sql := range []string{
		"select * from pg_temp.v", "select * from pg_temp_3.v", `select * from "PÄPER".v`,
		"select * from a23456789b123456789c123456789d123456789e123456789f123456789g1234.v",
	} {
		_, ok := qualifiers(sql)
		assert.False(t, ok, sql)
	}
}

func TestTextArray(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `{"a","b\"\\,{}"}`, string(textArray([]string{"a", `b"\,{}`})))
	assert.Equal(t, `{}`, string(textArray(nil)))
}

// Facts of another generation are not used, and they are not loaded again more often than allowed.
func TestGenerationsOfFacts(t *testing.T) {
	t.Parallel()
	c := catalog{start: time.Now()}
	look := func(counts, old string, newer ...string) uint64 {
		return c.compared(
			c.last.Load(),
			c.now(),
			comparison{counts: counts, old: old, coming: old, newer: newer, newest: "7"},
			0,
		)
	}
	assert.True(t, c.claim(1), "the first one compares")
	assert.False(t, c.claim(1), "one compares at a time")
	first := look("a", "a")
	assert.Equal(t, first, look("a", ""))
	assert.True(t, c.due("s", c.now()))
	all := func() map[string]*facts { return map[string]*facts{"s": {reads: true}, "new": {}} }
	c.learned(all(), first, time.Hour)
	assert.True(t, c.holds("s"))
	assert.False(t, c.due("s", c.now()))

	second := look("b", "a", "new", "unknown")
	assert.NotEqual(t, first, second)
	assert.True(t, c.holds("s"), "only new schemas have changed")
	assert.False(t, c.holds("new"))
	c.learned(all(), first, time.Hour)
	assert.False(t, c.holds("new"), "they were loaded before the change was seen")
	c.learned(all(), second, time.Hour)
	assert.True(t, c.holds("new"))

	third := look("c", "c")
	assert.NotEqual(t, second, third)
	assert.False(t, c.holds("s"))
	assert.False(t, c.due("s", c.now()), "the load has taken an hour")
	assert.True(t, c.due("other", c.now()), "what is unknown is loaded at once")
	c.forget()
	assert.True(t, c.due("s", c.now()))
	c.failed()
	assert.Positive(t, c.blind.Load())
}

// An object that is replaced in place does not change the fingerprint. If newly loaded facts show
// it, each connection is scrubbed before the next tenant, as after any change.
func TestFactsThatGetWorseAreAChange(t *testing.T) {
	t.Parallel()
	c := catalog{start: time.Now()}
	seen := c.compared(nil, 0, comparison{counts: "a", old: "a", newest: "7"}, 0)
	c.learned(map[string]*facts{"s": {}}, seen, 0)
	c.learned(map[string]*facts{"s": {}}, seen, 0)
	assert.Equal(t, seen, c.seen.Load())
	c.learned(map[string]*facts{"s": {writes: true}}, seen, 0)
	assert.NotEqual(t, seen, c.seen.Load())
	assert.True(t, c.holds("s"), "the facts are kept")
	seen = c.seen.Load()
	c.learned(map[string]*facts{"s": {}}, seen, 0)
	assert.Equal(t, seen, c.seen.Load(), "nothing has been left that was not known of")
	c.learned(map[string]*facts{"s": {reads: true}}, seen, 0)
	assert.NotEqual(t, seen, c.seen.Load())
}

// Two units may compare at the same time. The one that finishes later does not undo the other's
// result, and its facts are not kept.
func TestConcurrentComparisons(t *testing.T) {
	t.Parallel()
	c := catalog{start: time.Now()}
	look := func(f *fingerprint, counts, old string) uint64 {
		return c.compared(f, c.now(), comparison{counts: counts, old: old, coming: old, newest: "7"}, 0)
	}
	look(nil, "a", "a")
	before := c.last.Load()
	after := look(before, "b", "b")
	assert.Equal(t, after, look(before, "b", "b"), "it has seen the same")
	assert.Zero(t, look(before, "c", "a"))
	assert.Zero(t, c.next.Load(), "it is compared again at once")
	c.learned(map[string]*facts{"s": {}}, 0, 0)
	assert.False(t, c.holds("s"))
	assert.Greater(t, look(c.last.Load(), "c", "b"), after)
}

// A schema counts as new for at least a minute, and for as long as nothing changes. Objects that
// are created later in a schema that counts as old make all facts invalid.
func TestHorizonOfFingerprints(t *testing.T) {
	t.Parallel()
	minute := int64(signUpAge)
	var none *fingerprint
	f := none.after(comparison{counts: "a", old: "a", newest: "10"}, 0)
	f = f.after(comparison{counts: "b", old: "a", coming: "a", newest: "20"}, minute-1)
	assert.Equal(t, &fingerprint{counts: "b", old: "a", horizon: "10", coming: "10"}, f)
	f = f.after(comparison{counts: "c", old: "a", coming: "a", newest: "30"}, minute)
	assert.Equal(t, &fingerprint{counts: "c", old: "a", horizon: "10", coming: "30", since: minute}, f)
	assert.Equal(t, "10", string(f.params(2*minute - 1)[2]))
	assert.Equal(t, "30", string(f.params(2 * minute)[2]))
	f = f.after(comparison{counts: "d", old: "a", coming: "c", newest: "40"}, 2*minute)
	assert.Equal(t, &fingerprint{counts: "d", old: "c", horizon: "30", coming: "40", since: 2 * minute}, f)
}

// holds reports whether the facts of a schema are known and of the current generation.
func (c *catalog) holds(schema string) bool { return c.known(schema, c.gen.Load()) != nil }

// BenchmarkFacts measures the client's cost of facts for a statement: the plan of its unit of work
// and two evaluations of its kind.
func BenchmarkFacts(b *testing.B) {
	db := &DB{catalog: catalog{start: time.Now()}}
	seen := db.catalog.compared(nil, 0, comparison{counts: "a", old: "a", newest: "7"}, time.Hour)
	db.catalog.learned(map[string]*facts{"tenant_1": {}, "s": {}}, seen, 0)
	for name, named := range map[string][]string{"names": {"s"}, "plain": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			u := &unitOfWork{db: db, scope: &scope{schemas: []string{"tenant_1"}}, state: &connState{}}
			for b.Loop() {
				u.planCatalogRead()
				u.needFacts(nil, named)
				for range 2 { // before and after the statement
					if u.effectiveKind(kindRead, named) != kindRead {
						b.Fatal("the facts do not hold")
					}
				}
			}
		})
	}
}
