package audit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

const rowValues = "'2026-01-01', '10000000-0000-4000-8000-000000000000', 1, 1, 1, now(), 'update', '', '', '', null, " +
	"'', '{}', sha256('x')"

const rowColumns = "month, chain, position, tenant_id, seq, at, action, actor, slug, schema_name, ip, request_id, " +
	"details, hash"

// deeds are statements that a role other than the owner tries, and whether writers and readers may
// run them. Tenants and the runtime login may run none of them.
var deeds = []struct {
	sql            string
	writer, reader bool
}{
	{"select count(*) from public.audit_log", false, true},
	{"select hash from public.audit_log", false, true},
	{"select count(*) from public.audit_log_default", false, false},
	{"select digest from public.audit_heads", false, true},
	{"select hash from public.audit_ledger", false, true},
	{"select mac from public.audit_checkpoints", false, true},
	{"insert into public.audit_log (" + rowColumns + ") values (" + rowValues + ")", true, false},
	{"insert into public.audit_log (" + rowColumns + ") values (" + rowValues + ") on conflict do nothing", true, false},
	{"insert into public.audit_log (" + rowColumns + ") values (" + rowValues + ") returning hash", false, false},
	{
		"insert into public.audit_log (" + rowColumns + ") values (" + rowValues + ") " +
			"on conflict (chain, position, month) do update set actor = 'eve'",
		false,
		false,
	},
	{
		"insert into public.audit_log (" + rowColumns + ", received) values (" + rowValues + ", now() - interval '1 year')",
		false,
		false,
	},
	{"insert into public.audit_log_default (" + rowColumns + ") values (" + rowValues + ")", false, false},
	{
		"insert into public.audit_heads (chain, position, month, digest) " +
			"values (gen_random_uuid(), 1, '2026-01-01', sha256('x'))",
		true,
		false,
	},
	{
		"insert into public.audit_heads (chain, position, month, digest, received) " +
			"values (gen_random_uuid(), 1, '2026-01-01', sha256('x'), now())",
		false,
		false,
	},
	{"insert into public.audit_ledger (tenant_id) values (1)", false, false},
	{"insert into public.audit_checkpoints values (gen_random_uuid(), '2026-01-01', 1, '', '')", false, false},
	{"update public.audit_log set actor = 'eve'", false, false},
	{"update public.audit_heads set position = 1", false, false},
	{"update public.audit_ledger set position = 0", false, false},
	{"update public.audit_checkpoints set position = 0", false, false},
	{"delete from public.audit_log", false, false},
	{"delete from public.audit_log_default", false, false},
	{"delete from public.audit_heads", false, false},
	{"delete from public.audit_ledger", false, false},
	{"delete from public.audit_checkpoints", false, false},
	{"truncate public.audit_log", false, false},
	{"truncate public.audit_log_default", false, false},
	{"truncate public.audit_heads", false, false},
	{"lock table public.audit_log in access exclusive mode", false, false},
	{"alter table public.audit_log disable trigger all", false, false},
	{"alter table public.audit_log detach partition public.audit_log_default", false, false},
	{
		"create trigger t before insert on public.audit_log for each row " +
			"execute function suppress_redundant_updates_trigger()",
		false,
		false,
	},
	{"create rule r as on insert to public.audit_heads do instead nothing", false, false},
	{"drop table public.audit_log_default", false, false},
	{"drop function public.audit_tip(bigint)", false, false},
	{"set session_replication_role = replica", false, false},
	{"select public.audit_tip(1)", true, false},
}

func TestWritersAddRowsAndDoNothingElse(t *testing.T) {
	t.Parallel()
	f := setupAlone(t)
	f.fill(t, f.open(t, audit.Config{}), 3, 1)
	reader := f.roles.Prefix() + "_reader"
	f.exec(t, "create role "+reader)
	require.NoError(t,
		audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{f.roles.Public()}, Readers: []string{reader}}))
	_, err := admin.Provision(t.Context(), f.owner, f.roles, "tenant_1")
	require.NoError(t, err)

	for role, allowed := range map[string]func(i int) bool{
		f.roles.Public():           func(i int) bool { return deeds[i].writer },
		reader:                     func(i int) bool { return deeds[i].reader },
		f.roles.Tenant("tenant_1"): func(int) bool { return false },
		f.roles.Runtime():          func(int) bool { return false },
	} {
		for i, deed := range deeds {
			err := f.as(t, role, deed.sql)
			if allowed(i) {
				assert.NoError(t, err, "%s: %s", role, deed.sql)
			} else {
				assert.Contains(t, []string{"42501", "42809"}, stateOf(err), "%s: %s: %v", role, deed.sql, err)
			}
		}
	}
	f.verify(t)
}

// as runs a statement as the role, in a transaction that is rolled back.
func (f *fixture) as(t *testing.T, role, sql string) (err error) {
	t.Helper()
	tx := begin(t, f.pg.Pool)
	_, err = tx.Exec(t.Context(), "set local role "+pgx.Identifier{role}.Sanitize())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), sql)
	require.NoError(t, tx.Rollback(t.Context()))
	return err
}

// The functions that run with the owner's rights can only advance the ledger.
func TestTheLedgerOnlyGrows(t *testing.T) {
	t.Parallel()
	f := setup(t)
	l := f.open(t, audit.Config{})
	for range 2 {
		require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Export}))
	}
	for _, position := range []int{1, 2, 3, 5} { // 4 is the next position
		err := f.as(
			t,
			f.roles.Public(),
			strings.NewReplacer("POSITION", itoa(position)).
				Replace(`select public.audit_append(1, t.month, t.chain, POSITION, now(), 'x',
			'', '', '', null, '', '{}', sha256('x'), sha256('x')) from public.audit_tip(1) t`),
		)
		assert.Equal(t, "40001", stateOf(err), "position %d: %v", position, err)
	}
	f.verify(t)
}

// The granted rights pass the check that a program runs at its start.
func TestTheGrantedRightsPassTheCheck(t *testing.T) {
	t.Parallel()
	f := setupAlone(t)
	report, err := admin.Check(t.Context(), f.pool(t, f.roles.Runtime(), "r"), admin.CheckConfig{Roles: f.roles})
	require.NoError(t, err)
	require.NoError(t, report.Err())
}

func TestGrantRefusesInvalidRights(t *testing.T) {
	t.Parallel()
	f := setup(t)
	assert.Error(t, audit.Grant(t.Context(), f.owner, audit.Rights{}), "Grant accepted no roles")
	twice := audit.Rights{Writers: []string{"a"}, Readers: []string{"a"}}
	expectField(t, audit.Grant(t.Context(), f.owner, twice), "readers")
	for _, role := range []string{"", "a\x00b", strings.Repeat("x", 64)} {
		err := audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{role}})
		if assert.Error(t, err, "role %q: %v", role, err) {
			assert.Empty(t, stateOf(err), "role %q: %v", role, err)
		}
	}
	evil := `x"; drop table public.audit_log; --`
	err := audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{evil}})
	assert.Equal(t, "42704", stateOf(err), err)
	f.count(t, "true") // the table still exists
}

// Grant revokes rights that it does not give, from an earlier grant or given by hand.
func TestGrantRevokesOtherRights(t *testing.T) {
	t.Parallel()
	f := setup(t)
	role := f.roles.Public()
	f.exec(
		t,
		"grant all on public.audit_log, public.audit_heads to "+role+"; "+
			"grant select (hash), update (actor) on public.audit_log to "+role,
	)
	require.NoError(t, f.as(t, role, "delete from public.audit_log"))
	require.NoError(t, audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{role}}))
	for i, deed := range deeds {
		err := f.as(t, role, deed.sql)
		assert.Equal(t, deed.writer, err == nil, "%d: %s: %v", i, deed.sql, err)
	}
}

// The migrations can be undone and applied again, beside those of the registry.
func TestMigrationsCombineWithOtherSources(t *testing.T) {
	t.Parallel()
	f := setup(t)
	runner, err := migrate.New(f.owner, migrate.Config{Shared: shared})
	require.NoError(t, err)
	_, err = runner.Down(t.Context(), "public")
	require.NoError(t, err)
	var there bool
	require.NoError(t, f.owner.QueryRow(t.Context(), `select to_regclass('public.audit_log') is not null or exists (
		select from pg_proc where proname in ('audit_tip', 'audit_append'))`).Scan(&there))
	assert.False(t, there, "an element is left")
	_, err = tenancy.NewRegistry(f.owner).List(t.Context(), tenancy.Filter{})
	require.NoError(t, err)
	_, err = runner.Up(t.Context(), "public")
	require.NoError(t, err)
	require.NoError(t, audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{f.roles.Public()}}))
	f.fill(t, f.open(t, audit.Config{}), 1, 1)
	f.verify(t)
}

// A separate login writes through a plain pool.
func TestASeparateLoginWrites(t *testing.T) {
	t.Parallel()
	f := setupAlone(t) // the login exists as long as the roles do
	login := f.roles.Prefix() + "_audit"
	f.exec(t, "create role "+login+" login password 'a'")
	require.NoError(t, audit.Grant(t.Context(), f.owner, audit.Rights{Writers: []string{login}}))
	pool, err := pgxpool.New(context.Background(), f.pg.URLAs(login, "a"))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	l, err := audit.Open(t.Context(), pool, audit.Config{})
	require.NoError(t, err)
	f.fill(t, l, 3, 1)
	require.NoError(t, l.Write(t.Context(), audit.Entry{Tenant: 1, Action: audit.Backup}))
	closeLog(t, l)
	f.verify(t)
}
