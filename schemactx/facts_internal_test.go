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

// Facts of another generation are not used, and they are loaded again no more often than is allowed.
func TestGenerationsOfFacts(t *testing.T) {
	t.Parallel()
	c := catalog{start: time.Now()}
	assert.True(t, c.claim(1), "the first one compares")
	assert.False(t, c.claim(1), "one compares at a time")
	first := c.compared("a", 0)
	assert.Equal(t, first, c.compared("a", 0))
	assert.True(t, c.due("s", c.now()))
	c.learned(map[string]*facts{"s": {gen: first, reads: true}}, time.Hour)
	assert.NotNil(t, c.known("s", first))
	assert.False(t, c.due("s", c.now()))

	second := c.compared("b", 0)
	assert.NotEqual(t, first, second)
	assert.Nil(t, c.known("s", second))
	assert.False(t, c.due("s", c.now()), "the load has taken an hour")
	assert.True(t, c.due("other", c.now()), "what is unknown is loaded at once")
	c.forget()
	assert.True(t, c.due("s", c.now()))
	c.failed()
	assert.Positive(t, c.blind.Load())
}

// BenchmarkFacts is what a statement costs more for knowing what its schema may run: twice the verdict, and the plan of
// its unit of work.
func BenchmarkFacts(b *testing.B) {
	db := &DB{catalog: catalog{start: time.Now()}}
	gen := db.catalog.compared("a", time.Hour)
	db.catalog.learned(map[string]*facts{"tenant_1": {gen: gen}, "s": {gen: gen}}, 0)
	for name, named := range map[string][]string{"names": {"s"}, "plain": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			u := &unit{db: db, scope: &scope{schemas: []string{"tenant_1"}}, state: &connState{}}
			for b.Loop() {
				u.plan()
				u.meet(nil, named)
				for range 2 { // before the statement and behind it
					if u.judge(kindRead, named) != kindRead {
						b.Fatal("the facts do not hold")
					}
				}
			}
		})
	}
}
