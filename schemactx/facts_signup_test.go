package schemactx_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// signUpSQL creates one of everything that the fingerprint counts.
const signUpSQL = papersSQL + `;
	create table topics (id bigserial primary key, paper bigint references papers, country text
		references shared.countries);
	create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
	create trigger t before update on papers for each row execute function touch();
	create function f() returns boolean language plpgsql security definer set search_path = pg_catalog as $$
		begin perform set_config('app.level', 'staff', false); return true; end $$;
	create view v as select p.body from papers p where f();
	create rule r as on insert to v do instead insert into papers (body) values (new.body);
	alter table topics enable row level security;
	create policy p on topics using (f());
	create type mood as enum ('x');
	create function to_mood(int) returns mood language sql immutable as $$ select 'x'::mood $$;
	create cast (int as mood) with function to_mood(int);
	create operator ### (function = texteq, leftarg = text, rightarg = text);
	create domain email as text check (value ~ '@')`

// shareCountries creates the table of a shared schema that signUpSQL refers to.
func (f *fixture) shareCountries(t *testing.T) {
	t.Helper()
	f.shareSchema(
		t,
		"create table shared.countries (code text primary key); create view shared.c as select code from shared.countries; "+
			"grant select on all tables in schema shared to public",
	)
}

// signUp creates a tenant in two transactions: the schema first, then its objects.
func (f *fixture) signUp(t *testing.T, db *schemactx.DB, schema, sql string) {
	t.Helper()
	f.provision(t, schema)
	db.LookNow()
	expectNote(t, in(t, "tenant_a"), db, "tenant_a")
	f.inSchema(t, schema, sql)
	db.LookNow()
	expectNote(t, in(t, "tenant_a"), db, "tenant_a")
}

// inSchema runs statements as the owner with the tenant's schema as the search path.
func (f *fixture) inSchema(t *testing.T, schema, sql string) {
	t.Helper()
	f.exec(t, fmt.Sprintf("begin; set local search_path = %s; %s; commit", schema, sql))
}

// A tenant's sign-up does not make the statements of other tenants count as ones that may leave
// session state, whatever its schema contains and however often the change is seen.
func TestSignUpsDoNotInvalidateFactsOfOtherTenants(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.shareCountries(t)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		f.inSchema(t, schema, papersSQL+"; create view v as select body from papers")
	}
	read := func() {
		for _, schema := range []string{"tenant_a", "tenant_b"} {
			for _, sql := range []string{"select p.body from papers p", "select body from v", "select x.code from shared.c x"} {
				_, err := f.db.Exec(in(t, schema), sql)
				require.NoError(t, err)
			}
		}
	}
	quiet := func(why string) {
		t.Helper()
		read() // scrubs, once, a connection that was in use before the change was seen
		before := f.db.Stats().Scrubs
		for range 3 {
			read()
		}
		assert.Equal(t, before, f.db.Stats().Scrubs, why)
	}
	read()
	quiet("at first")
	for i := range 3 {
		f.signUp(t, f.db, fmt.Sprintf("tenant_new_%d", i), signUpSQL)
		quiet("after a sign-up")
	}
	f.inSchema(
		t,
		"tenant_new_1",
		"create function late() returns int language sql as 'select 1'; create view w as select late()",
	)
	f.db.LookNow()
	quiet("after a migration of a new schema")
	f.expectClean(t, "tenant_new_2", "select body from v", "a view of a new tenant")
	f.exec(t, "drop schema tenant_new_1 cascade")
	f.db.LookNow()
	quiet("after the end of a new schema")
}

// unseen are the cases that create nothing that the fingerprint counts, if the function in the
// shared schema exists already. They are found within a minute.
var unseen = map[string]bool{
	"default in a shared schema": true, "shared trigger function": true, "domain on a shared domain": true,
	"shared domain within a composite type": true,
}

// Functions that are created in a schema that existed at the first comparison are found at the next
// one. So are those in a schema that was created later, has been used, and was known to leave
// nothing.
func TestFunctionsCreatedInOldAndNewSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.shareCountries(t)
	old, fresh := map[string]string{}, map[string]string{}
	for i, c := range hidden {
		if c.setup == "" || unseen[c.name] {
			continue
		}
		f.shareSchema(t, c.shared)
		old[c.name], fresh[c.name] = fmt.Sprintf("old_%d", i), fmt.Sprintf("new_%d", i)
		f.provision(t, old[c.name])
		f.inSchema(t, old[c.name], papersSQL)
	}
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a") // the first comparison
	for _, schema := range fresh {
		f.provision(t, schema)
		f.inSchema(t, schema, papersSQL)
	}
	f.db.LookNow()
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
	for _, schemas := range []map[string]string{fresh, old} {
		for _, c := range hidden {
			if schema := schemas[c.name]; schema != "" {
				f.expectFound(t, schema, c.name, c.setup, c.sql)
			}
		}
	}
}

// expectFound creates a hidden function in a schema that is in use and fails the test unless the
// state that a statement then leaves is removed.
func (f *fixture) expectFound(t *testing.T, schema, name, setup, sql string) {
	t.Helper()
	if sql == "" {
		sql = "select body from papers"
	}
	_, err := f.db.Exec(in(t, schema), "select s.body from papers s")
	require.NoError(t, err, name)
	f.inSchema(t, schema, setup)
	f.db.LookNow()
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
	f.expectClean(t, schema, sql, name)
}

// expectClean fails the test unless a statement's state is visible to its own tenant and not to the
// next one. Reading a setting causes a scrub itself, so the next tenant reads first.
func (f *fixture) expectClean(t *testing.T, schema, sql, name string) {
	t.Helper()
	const level = "select coalesce(current_setting('app.level', true), '')"
	var got string
	for _, next := range []string{"tenant_a", schema} {
		_, err := f.db.Exec(in(t, schema), sql)
		require.NoError(t, err, name)
		require.NoError(t, f.db.QueryRow(in(t, next), level).Scan(&got), name)
		if next == schema {
			assert.NotEmpty(t, got, "%s leaves nothing: the test shows nothing", name)
		} else {
			assert.Empty(t, got, "%s in %s", name, schema)
		}
	}
}

// The facts of a name are those of the schema that it means now. That holds for a name that was no
// schema when a statement first used it before a dot, and for a schema name that another schema has
// taken over.
func TestFactsOfNamesThatBecomeSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.shareCountries(t)
	look := func() {
		f.db.LookNow()
		expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
	}
	_, err := f.db.Exec(in(t, "tenant_b"), "select late.body from notes late")
	require.NoError(t, err)
	f.exec(t, "create schema late; grant usage on schema late to public; "+settingFunc("late.f()", "")+
		"; create view late.v as select true as ok where late.f(); grant select on late.v to public")
	look()
	f.expectClean(t, "tenant_b", "select ok from late.v", "an alias that has become a schema")

	f.provision(t, "next_b")
	f.inSchema(t, "next_b", signUpSQL)
	look()
	_, err = f.db.Exec(in(t, "tenant_b"), "select body from notes")
	require.NoError(t, err)
	_, err = admin.Rename(t.Context(), f.owner, f.roles, "tenant_b", "last_b")
	require.NoError(t, err)
	_, err = admin.Rename(t.Context(), f.owner, f.roles, "next_b", "tenant_b")
	require.NoError(t, err)
	look()
	f.expectClean(t, "tenant_b", "select body from v", "a schema that has taken over a name")
}
