package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy/audit"
)

// tampers has changes by a superuser, and the problems that verification finds. The chain of a
// process has entries of tenants 1 and 2 at positions 2 to 21, after log_opened, with tenant 1 at
// the even ones. The ledger of tenant 1 has three entries, at 2 to 4.
var tampers = map[string]struct {
	sql    string
	all    []audit.ProblemKind // found by VerifyAll
	tenant []audit.ProblemKind // found by Verify of tenant 1
}{
	"nothing":           {"select 1", nil, nil},
	"another actor":     {change("actor = 'eve'"), one(audit.Changed), one(audit.Changed)},
	"another action":    {change("action = 'login'"), one(audit.Changed), one(audit.Changed)},
	"another slug":      {change("slug = 'x'"), one(audit.Changed), one(audit.Changed)},
	"another schema":    {change("schema_name = 'x'"), one(audit.Changed), one(audit.Changed)},
	"another time":      {change("at = at - interval '1 microsecond'"), one(audit.Changed), one(audit.Changed)},
	"another address":   {change("ip = '192.0.2.1'"), one(audit.Changed), one(audit.Changed)},
	"another request":   {change("request_id = 'x'"), one(audit.Changed), one(audit.Changed)},
	"other details":     {change(`details = '{"n": 999}'`), one(audit.Changed), one(audit.Changed)},
	"more details":      {change(`details = details || '{"m": 1}'`), one(audit.Changed), one(audit.Changed)},
	"another hash":      {change("hash = sha256('x')"), one(audit.Changed), one(audit.Changed)},
	"another partition": {change("month = month - interval '1 month'"), one(audit.Changed), one(audit.Changed)},
	"a removed row": {
		"delete from public.audit_log where tenant_id = 1 and seq = 5 and position = 10",
		one(audit.Missing),
		one(audit.Missing),
	},
	"two removed rows of two tenants": {
		"delete from public.audit_log where position in (10, 13) and tenant_id in (1, 2)",
		[]audit.ProblemKind{audit.Missing, audit.Missing},
		[]audit.ProblemKind{audit.Missing, audit.Missing},
	},
	"the tenant's last row removed": {
		"delete from public.audit_log where tenant_id = 1 and position = 20",
		one(audit.Missing),
		one(audit.Missing),
	},
	"the chain's last row removed": {
		"delete from public.audit_log where tenant_id = 2 and position = 21",
		one(audit.Missing),
		one(audit.Missing),
	},
	"the chain's first row removed": {
		"delete from public.audit_log where tenant_id = 0 and position = 1",
		one(audit.Missing),
		one(audit.Missing),
	},
	"the ledger's last row removed": {
		"delete from public.audit_log where tenant_id = 1 and position = 4 and seq = 4",
		one(audit.Missing),
		one(audit.Missing),
	},
	"the tenant's rows removed": {
		"delete from public.audit_log where tenant_id = 1 and seq <> position",
		repeat(audit.Missing, 10), repeat(audit.Missing, 10),
	},
	"the chain removed": {
		"delete from public.audit_log where chain in (select chain from public.audit_heads)",
		one(audit.Missing),
		one(audit.Missing),
	},
	"the ledger removed": {
		"delete from public.audit_log where seq = position and tenant_id = 1",
		one(audit.Missing),
		one(audit.Missing),
	},
	"two rows swapped": {
		swap(4, 8), repeat(audit.Reordered, 2), repeat(audit.Reordered, 2),
	},
	"two neighbours swapped": {
		swap(4, 6), repeat(audit.Reordered, 2), repeat(audit.Reordered, 2),
	},
	"a row of another tenant": {
		change("tenant_id = 2"), []audit.ProblemKind{audit.Changed, audit.Missing}, one(audit.Missing),
	},
	"a row twice": {
		`insert into public.audit_log
			select (l.month - interval '1 month')::date, chain, position, tenant_id, seq, at, action, actor, slug, schema_name,
				ip, request_id, details, hash, received from public.audit_log l where tenant_id = 1 and position = 10`,
		[]audit.ProblemKind{audit.Repeated, audit.Changed},
		one(audit.Changed), // the hash tells which row is the original
	},
	"a row added at the end": {
		`insert into public.audit_log
			select month, chain, 22, 1, 11, at, action, 'eve', slug, schema_name, ip, request_id, details, hash
			from public.audit_log where tenant_id = 1 and position = 20`,
		one(audit.Changed),
		one(audit.Changed),
	},
	"a head changed": {
		"update public.audit_heads set digest = sha256('x') where position = 21",
		one(audit.HeadMismatch),
		nil,
	},
	"a ledger changed": {"update public.audit_ledger set digest = sha256('x')", one(audit.HeadMismatch), nil},
}

func one(kind audit.ProblemKind) []audit.ProblemKind { return []audit.ProblemKind{kind} }

func repeat(kind audit.ProblemKind, n int) (kinds []audit.ProblemKind) {
	for range n {
		kinds = append(kinds, kind)
	}
	return kinds
}

// change returns SQL that changes one row of tenant 1.
func change(set string) string {
	return "update public.audit_log set " + set + " where tenant_id = 1 and position = 10"
}

// swap returns SQL that exchanges the positions of two rows of tenant 1.
func swap(a, b int) string {
	return fmt.Sprintf(`create temporary table taken on commit drop as select * from public.audit_log
			where tenant_id = 1 and position in (%[1]d, %[2]d) and seq <> position;
		delete from public.audit_log l using taken t where l.chain = t.chain and l.position = t.position;
		insert into public.audit_log
			select t.month, t.chain, o.position, t.tenant_id, o.seq, t.at, t.action, t.actor, t.slug, t.schema_name, t.ip,
				t.request_id, t.details, t.hash, t.received from taken t join taken o on o.position <> t.position`, a, b)
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range tampers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			l, err := audit.Open(t.Context(), f.db, audit.Config{})
			require.NoError(t, err)
			for range 3 {
				require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Slug: "t1", Action: audit.Export, Actor: "ada"}))
			}
			f.fill(t, l, 10, 1, 2)
			before := f.count(t, "true")
			require.NotZero(t, f.exec(t, c.sql), "nothing was changed")
			report := f.verify(t, c.all...)
			n := f.count(t, "true")
			assert.True(t, c.all != nil || report.Rows == int64(n) && n == before && report.Chains == 2,
				"verified %d rows of %d in %d chains", report.Rows, n, report.Chains)
			report, err = f.reader.Verify(t.Context(), 1)
			require.NoError(t, err)
			expectKinds(t, report, c.tenant...)
			closeLog(t, l)
		})
	}
}

// A problem has the tenant and the position of the row, if they are known.
func TestProblemTexts(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fill(t, f.open(t, audit.Config{}), 10, 1, 2)
	f.exec(t, "delete from public.audit_log where position = 10")
	f.exec(t, "update public.audit_log set actor = 'eve' where position = 13")
	report := f.verify(t, audit.Missing, audit.Changed)
	for _, p := range report.Problems {
		switch p.Kind {
		case audit.Missing:
			assert.Equal(t, int64(1), p.Tenant, "missing: %v", p)
			assert.LessOrEqual(t, p.From, int64(10), "missing: %v", p)
			assert.GreaterOrEqual(t, p.To, int64(10), "missing: %v", p)
			assert.GreaterOrEqual(t, p.From, int64(9), "missing: %v", p)
			assert.LessOrEqual(t, p.To, int64(11), "missing: %v", p)
		case audit.Changed:
			assert.Equal(t, int64(2), p.Tenant, "changed: %v", p)
			assert.Equal(t, int64(13), p.From, "changed: %v", p)
			assert.Equal(t, int64(13), p.To, "changed: %v", p)
			assert.LessOrEqual(t, time.Since(p.Time), time.Hour, "changed: %v", p)
		}
	}
	other, err := f.reader.Verify(t.Context(), 3)
	require.NoError(t, err)
	expectKinds(t, other, audit.Missing) // without reading all rows the tenant is not known
	assert.Equal(t, int64(audit.UnknownTenant), other.Problems[0].Tenant, other.Problems)
}
