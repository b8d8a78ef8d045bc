package tenancytest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

// recorder is a test whose failures are expected.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	errors []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestIsolationIsAsserted(t *testing.T) {
	t.Parallel()
	env := open(t, tenancytest.Config{DB: schemactx.Config{Level: schemactx.PathOnly}}) // where leaks are possible
	a, b := env.Tenant(t), env.Tenant(t)
	exec := func(sql func(mine, theirs string) string) func(context.Context, *tenancytest.Tenant) error {
		return func(ctx context.Context, tenant *tenancytest.Tenant) error {
			theirs := a.Schema
			if tenant == a {
				theirs = b.Schema
			}
			_, err := env.DB.Exec(ctx, sql(tenant.Schema, theirs))
			return err
		}
	}
	for name, c := range map[string]struct {
		fn   func(context.Context, *tenancytest.Tenant) error
		want string // in the failure; "": no failure
	}{
		"its own rows": {exec(func(_, _ string) string { return "insert into animals values ('cat')" }), ""},
		"a foreign read": {
			exec(func(_, theirs string) string { return "select * from " + theirs + ".animals" }), "table animals",
		},
		"a foreign write": {
			exec(func(_, theirs string) string { return "delete from " + theirs + ".lines" }), "table lines",
		},
		"a partition": {
			exec(func(_, theirs string) string { return "select * from " + theirs + ".lines_low" }), "table lines_low",
		},
		"a join": {
			exec(func(_, theirs string) string { return "select * from animals join " + theirs + ".people on true" }),
			"table people",
		},
		"a sequence": {
			exec(func(_, theirs string) string { return "select nextval('" + theirs + ".numbers')" }), "sequence numbers",
		},
		"an error":         {func(context.Context, *tenancytest.Tenant) error { return fmt.Errorf("broken") }, "broken"},
		"the next context": {func(context.Context, *tenancytest.Tenant) error { return nil }, ""},
	} {
		r := &recorder{TB: t}
		env.AssertIsolated(r, a, b, c.fn)
		if c.want == "" {
			assert.Empty(t, r.errors, name)
			continue
		}
		if assert.Len(t, r.errors, 2, name) {
			assert.Contains(t, r.errors[0], c.want, name)
			assert.Contains(t, r.errors[1], c.want, name)
		}
	}
}

// An example has no testing.T of its own, and one that runs tests itself breaks go test -v and
// -json.
func TestTheTestOfTheExamplePasses(t *testing.T) {
	t.Parallel()
	env, err := tenancytest.Open(t.Context(), pgtest.New(t).URL, notesConfig())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, env.Close(context.Background())) })
	testNotes(t, env)
}
