package schemactx_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// ledger creates a table in both schemas that reads app.user_id in a default, in a trigger, and in
// a policy that shows each user their own rows.
func ledger(t *testing.T, f *fixture) {
	t.Helper()
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		f.exec(t, strings.ReplaceAll(`
			create table SCHEMA.ledger (
				what text not null, by_default text not null default current_setting('app.user_id'), by_trigger text);
			create function SCHEMA.stamp() returns trigger language plpgsql as
				$$ begin new.by_trigger := current_setting('app.user_id'); return new; end $$;
			create trigger stamp before insert on SCHEMA.ledger for each row execute function SCHEMA.stamp();
			alter table SCHEMA.ledger enable row level security;
			alter table SCHEMA.ledger force row level security;
			create policy mine on SCHEMA.ledger using (by_default = current_setting('app.user_id'))`, "SCHEMA", schema))
	}
}

// asUser returns a context for the schema and the user.
func asUser(t *testing.T, schema, user string) context.Context {
	return schemactx.WithSettings(in(t, schema), map[string]string{"app.user_id": user})
}

// settingsDBs are DBs with one connection, for each level and mode.
func settingsDBs(t *testing.T, f *fixture) map[string]*schemactx.DB {
	t.Helper()
	owner, err := pgxpool.ParseConfig(f.pg.URLAs(f.roles.Owner(), ownerPassword))
	require.NoError(t, err)
	owner.MaxConns = 1
	return map[string]*schemactx.DB{
		"PathOnly": f.openWith(t, owner, schemactx.Config{Level: schemactx.PathOnly}),
		"Roles":    f.open(t, schemactx.Config{}, 1),
		"exec":     f.openMode(t, pgx.QueryExecModeExec),
		"Logins":   loginDB(t, f, schemactx.Config{}),
	}
}

// seen returns the rows of the ledger that a user sees.
func seen(t *testing.T, ctx context.Context, db *schemactx.DB) []string {
	t.Helper()
	rows, err := db.Query(ctx, "select what || ' ' || by_default || ' ' || by_trigger from ledger order by 1")
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}

// expectNoSettings fails the test if a unit of work in one of the schemas, or the session outside
// of a scope, has a setting.
func expectNoSettings(t *testing.T, db *schemactx.DB, schemas ...string) {
	t.Helper()
	for _, schema := range schemas {
		var user, lock string
		require.NoError(t, db.QueryRow(in(t, schema),
			"select coalesce(current_setting('app.user_id', true), ''), current_setting('lock_timeout')").Scan(&user, &lock))
		assert.Empty(t, user, schema)
		assert.Equal(t, "0", lock, schema)
	}
}

func TestSettingsHoldInEveryUnitOfWorkAndEndWithIt(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ledger(t, f)
	all := func(hardened string) {
		for name, db := range settingsDBs(t, f) {
			t.Run(name+hardened, func(t *testing.T) {
				f.exec(t, "alter table tenant_a.ledger no force row level security; truncate tenant_a.ledger; "+
					"alter table tenant_a.ledger force row level security")
				useSettings(t, db)
			})
		}
	}
	all("")
	_, err := admin.Harden(t.Context(), f.pg.Pool, f.roles)
	require.NoError(t, err)
	all(" hardened")
}

func useSettings(t *testing.T, db *schemactx.DB) {
	odd := `7'; drop table ledger; -- \ $1 {"a",NULL} ü`
	ann, odds := asUser(t, "tenant_a", "ann"), asUser(t, "tenant_a", odd)
	insert := "insert into ledger (what) values ($1)"

	_, err := db.Exec(ann, insert, "statement")
	require.NoError(t, err)
	_, err = db.Exec(odds, insert, "statement")
	require.NoError(t, err)
	expectNoSettings(t, db, "tenant_a", "tenant_b")

	batch := &pgx.Batch{}
	batch.Queue(insert, "batch 1")
	batch.Queue(insert, "batch 2")
	require.NoError(t, db.SendBatch(ann, batch).Close())
	single := &pgx.Batch{}
	single.Queue(insert, "batch of one")
	require.NoError(t, db.SendBatch(odds, single).Close())
	expectNoSettings(t, db, "tenant_b", "tenant_a")

	for range 2 { // the second time the columns are known
		_, err = db.CopyFrom(ann, pgx.Identifier{"notes"}, []string{"id", "body"}, pgx.CopyFromRows(nil))
		require.NoError(t, err)
	}
	expectNoSettings(t, db, "tenant_a")

	err = db.InTxOptions(
		ann,
		schemactx.TxOptions{Settings: map[string]string{"LOCK_timeout": "7s"}},
		func(tx pgx.Tx) error {
			return inSavepoint(t, ann, tx, insert)
		},
	)
	require.NoError(t, err)
	expectNoSettings(t, db, "tenant_a", "tenant_b")

	assert.Equal(t, []string{"batch 1 ann ann", "batch 2 ann ann", "kept ann ann", "statement ann ann"}, seen(t, ann, db))
	assert.Equal(t, []string{"batch of one " + odd + " " + odd, "statement " + odd + " " + odd}, seen(t, odds, db))
	assert.Empty(t, seen(t, asUser(t, "tenant_b", "ann"), db))
}

// inSavepoint rolls back to a savepoint and checks the settings afterwards.
func inSavepoint(t *testing.T, ctx context.Context, tx pgx.Tx, insert string) error {
	t.Helper()
	mine := errors.New("mine")
	err := pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error {
		_, err := sp.Exec(ctx, insert, "taken back")
		require.NoError(t, err)
		return mine
	})
	require.ErrorIs(t, err, mine)
	var user, lock string
	require.NoError(
		t,
		tx.QueryRow(ctx, "select current_setting('app.user_id'), current_setting('lock_timeout')").Scan(&user, &lock),
	)
	assert.Equal(t, []string{"ann", "7s"}, []string{user, lock})
	for _, sql := range []string{"savepoint mine", insert, "rollback to savepoint mine"} { // as ORMs send it
		args := []any{"taken back as text"}
		if sql != insert {
			args = nil
		}
		_, err := tx.Exec(ctx, sql, args...)
		require.NoError(t, err, sql)
	}
	require.NoError(
		t,
		tx.QueryRow(ctx, "select current_setting('app.user_id'), current_setting('lock_timeout')").Scan(&user, &lock),
	)
	assert.Equal(t, []string{"ann", "7s"}, []string{user, lock})
	_, err = tx.Exec(ctx, insert, "kept")
	return err
}

func TestSettingsHoldInACopy(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, schema := range []string{"tenant_a", "tenant_b"} {
		f.exec(t, "create table "+schema+".log (what text, who text default current_setting('app.user_id'))")
	}
	odd := `o'brien \ $1 $2`
	for name, db := range settingsDBs(t, f) {
		for _, user := range []string{"ann", odd} {
			ctx := asUser(t, "tenant_a", user)
			_, err := db.CopyFrom(ctx, pgx.Identifier{"log"}, []string{"what"}, pgx.CopyFromRows([][]any{{name}}))
			require.NoError(t, err, name)
			require.NoError(t, db.InTx(ctx, func(tx pgx.Tx) error {
				_, err := tx.CopyFrom(ctx, pgx.Identifier{"log"}, []string{"what"}, pgx.CopyFromRows([][]any{{name}}))
				return err
			}), name)
			var n int
			require.NoError(t, db.QueryRow(ctx, "select count(*) from log where what = $1 and who = $2", name, user).Scan(&n))
			assert.Equal(t, 2, n, name)
		}
		expectNoSettings(t, db, "tenant_a", "tenant_b")
	}
}

func TestSettingsNest(t *testing.T) {
	t.Parallel()
	f := setup(t)
	outer := schemactx.WithSettings(in(t, "tenant_a"), map[string]string{"app.a": "1", "app.b": "1"})
	inner := schemactx.WithSettings(outer, map[string]string{"APP.B": "2", "app.c": "2"})
	read := func(ctx context.Context) (got [3]string) {
		t.Helper()
		sql := "select coalesce(current_setting('app.a', true), ''), coalesce(current_setting('app.b', true), ''), " +
			"coalesce(current_setting('app.c', true), '')"
		require.NoError(t, f.db.QueryRow(ctx, sql).Scan(&got[0], &got[1], &got[2]))
		return got
	}
	assert.Equal(t, [3]string{"1", "2", "2"}, read(inner))
	assert.Equal(t, [3]string{"1", "1", ""}, read(outer))
	assert.Equal(t, [3]string{"1", "2", "2"}, read(schemactx.WithSettings(inner, nil)))
	assert.Equal(t, [3]string{"1", "2", "2"}, read(schemactx.NewContext(inner, "tenant_b")), "in another schema")
	assert.Equal(t, [3]string{}, read(in(t, "tenant_a")))
	require.NoError(t, schemactx.WithPublic(inner, func(ctx context.Context) error {
		assert.Equal(t, [3]string{"1", "2", "2"}, read(ctx), "public")
		return nil
	}))

	given := map[string]string{"app.a": "before"}
	ctx := schemactx.WithSettings(in(t, "tenant_a"), given)
	given["app.a"] = "after"
	assert.Equal(t, "before", read(ctx)[0], "the settings are the context's own")
}

// A refused name is refused in any spelling, before anything is sent, and for every kind of unit of
// work.
func TestSettingsThatCannotBeSetAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	bad := []map[string]string{
		{"role": "postgres"},
		{"Role": "x"},
		{" role": "x"},
		{"role ": "x"},
		{"SEARCH_PATH": "tenant_b"},
		{"search_path": "tenant_b"},
		{"session_authorization": "x"},
		{"SESSION AUTHORIZATION": "x"},
		{"is_superuser": "on"},
		{"a b": ""},
		{"transaction_isolation": "serializable"},
		{"transaction_read_only": "on"},
		{"transaction_deferrable": "on"},
		{"default_transaction_read_only": "on"},
		{"session_replication_role": "replica"},
		{"client_encoding": "SQL_ASCII"},
		{"standard_conforming_strings": "off"},
		{"backslash_quote": "on"},
		{"seed": "0.5"},
		{"exit_on_error": "on"},
		{"": "x"},
		{".": "x"},
		{"app.": "x"},
		{".app": "x"},
		{"app..x": "x"},
		{"1app.x": "x"},
		{"app.1x": "x"},
		{"app.a-b": "x"},
		{`app."x"`: "x"},
		{"app.x;": "x"},
		{"app.ü": "x"},
		{"app.x\x00": "x"},
		{strings.Repeat("a", 300): "x"},
		{"app.x": "a\x00b"},
		{"app.x": "\xff"},
		{"app.x": "1", "APP.x": "2"},
		{"role\u200b": "x"},
		{"ro\u212ae": "x"},
	}
	for _, settings := range bad {
		expect := func(err error) {
			t.Helper()
			var se *schemactx.SettingError
			require.ErrorAs(t, err, &se, "%q", settings)
			require.ErrorIs(t, err, schemactx.ErrSettingRefused)
			require.NotErrorIs(t, err, schemactx.ErrNotProvisioned)
			assert.Contains(t, settings, se.Name)
		}
		ctx := schemactx.WithSettings(in(t, "tenant_a"), settings)
		ctx = schemactx.WithSettings(ctx, map[string]string{"app.y": "fine"}) // does not hide the error
		_, err := f.db.Exec(ctx, "select 1")
		expect(err)
		batch := &pgx.Batch{}
		batch.Queue("select 1")
		expect(f.db.SendBatch(ctx, batch).Close())
		_, err = f.db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id"}, pgx.CopyFromRows(nil))
		expect(err)
		_, err = f.db.Begin(ctx)
		expect(err)
		opts := schemactx.TxOptions{Settings: maps.Clone(settings), MaxRetries: 3}
		expect(f.db.InTxOptions(in(t, "tenant_a"), opts, func(pgx.Tx) error { return errors.New("called back") }))
	}
	assert.Zero(t, f.db.Stats().Switches, "nothing has borrowed a connection")

	named := f.open(t, schemactx.Config{ServerLog: schemactx.ServerLogApplicationName}, 1)
	name := map[string]string{"Application_Name": "mine"}
	_, err := named.Exec(schemactx.WithSettings(in(t, "tenant_a"), name), "select 1")
	require.ErrorIs(t, err, schemactx.ErrSettingRefused)
	_, err = f.db.Exec(schemactx.WithSettings(in(t, "tenant_a"), name), "select 1")
	require.NoError(t, err, "the name is free where the server's log has no tenant in it")
}

func TestSettingsRefusedByTheServer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, db := range settingsDBs(t, f) {
		for setting, want := range map[[2]string]string{
			{"statement_timeout", "soon"}:           "22023",
			{"timezone", "Nowhere/Land"}:            "22023",
			{"work_mem", "1"}:                       "22023",
			{"no_such_setting", "1"}:                "42704",
			{"log_statement", "all"}:                "42501",
			{"shared_buffers", "1GB"}:               "55P02",
			{"default_table_access_method", "none"}: "22023",
		} {
			ctx := schemactx.WithSettings(in(t, "tenant_a"), map[string]string{setting[0]: setting[1], "app.user_id": "ann"})
			expect := func(err error) {
				t.Helper()
				require.ErrorIs(t, err, schemactx.ErrSettingRefused, "%s: %s", name, setting)
				require.NotErrorIs(t, err, schemactx.ErrNotProvisioned)
				expectState(t, err, want)
			}
			_, err := db.Exec(ctx, "select 1")
			expect(err)
			batch := &pgx.Batch{}
			batch.Queue("select 1")
			batch.Queue("select 2")
			expect(db.SendBatch(ctx, batch).Close())
			for range 2 {
				_, err = db.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id", "body"}, pgx.CopyFromRows(nil))
				expect(err)
				_, err = db.CopyFrom(in(t, "tenant_a"), pgx.Identifier{"notes"}, []string{"id", "body"}, pgx.CopyFromRows(nil))
				require.NoError(t, err, "%s: the columns are known from now on", name)
			}
			err = db.InTx(ctx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "insert into notes values (2, '')")
				expect(err)
				_, again := tx.Exec(ctx, "insert into notes values (3, '')")
				require.Error(t, again)
				return err
			})
			expect(err)
		}
		expectNote(t, in(t, "tenant_a"), db, "tenant_a")
		var n int
		require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select count(*) from notes").Scan(&n))
		assert.Equal(t, 1, n)
		assert.Zero(t, db.Stats().Destroyed, "%s: the connection is as good as before", name)
	}
}

func TestSettingsShortenTheLimitsOfATenant(t *testing.T) {
	t.Parallel()
	f := setup(t)
	limits := func(string) schemactx.Limits {
		return schemactx.Limits{StatementTimeout: 10 * time.Second, IdleInTransactionTimeout: time.Minute}
	}
	dbs := map[string]*schemactx.DB{
		"Roles":  f.open(t, schemactx.Config{Limits: limits}, 1),
		"Logins": loginDB(t, f, schemactx.Config{Limits: limits}),
	}
	for name, db := range dbs {
		for value, want := range map[string]string{
			"2s": "2s", "2500": "2500ms", " 1.5 s ": "1500ms", "1min": "10s", "0": "10s", "1h": "10s", "20d": "10s",
			"1us": "1ms", "9999 ms": "9999ms",
		} {
			ctx := schemactx.WithSettings(in(t, "tenant_a"), map[string]string{"Statement_Timeout": value})
			for range 2 {
				var got, idle string
				require.NoError(t, db.QueryRow(ctx, "select current_setting('statement_timeout'), "+
					"current_setting('idle_in_transaction_session_timeout')").Scan(&got, &idle))
				assert.Equal(t, []string{want, "1min"}, []string{got, idle}, "%s: %s", name, value)
			}
		}
		for _, value := range []string{"-1", "soon", "", "1 fortnight", "0x10", "1e300"} {
			_, err := db.Exec(
				schemactx.WithSettings(in(t, "tenant_a"), map[string]string{"statement_timeout": value}),
				"select 1",
			)
			require.ErrorIs(t, err, schemactx.ErrSettingRefused, "%s: %s", name, value)
		}
		var got string
		require.NoError(t, db.QueryRow(in(t, "tenant_a"), "select current_setting('statement_timeout')").Scan(&got))
		assert.Equal(t, "10s", got, name)
	}
	ctx := schemactx.WithSettings(in(t, "tenant_a"), map[string]string{"statement_timeout": "50ms"})
	_, err := dbs["Roles"].Exec(ctx, "select pg_sleep(60)")
	expectState(t, err, "57014")
}

func TestATransactionKeepsTheSettingsItBeganWith(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ann, bob, plain := asUser(t, "tenant_a", "ann"), asUser(t, "tenant_a", "bob"), in(t, "tenant_a")
	err := f.db.InTx(ann, func(tx pgx.Tx) error {
		for _, ctx := range []context.Context{ann, plain, asUser(t, "tenant_a", "ann")} {
			var user string
			require.NoError(t, tx.QueryRow(ctx, "select current_setting('app.user_id')").Scan(&user))
			assert.Equal(t, "ann", user)
		}
		more := schemactx.WithSettings(ann, map[string]string{"lock_timeout": "1s"})
		for _, ctx := range []context.Context{bob, more} {
			_, err := tx.Exec(ctx, "select 1")
			require.ErrorIs(t, err, schemactx.ErrSettingsMismatch)
			_, err = tx.CopyFrom(ctx, pgx.Identifier{"notes"}, []string{"id"}, pgx.CopyFromRows(nil))
			require.ErrorIs(t, err, schemactx.ErrSettingsMismatch)
			_, err = tx.Begin(ctx)
			require.ErrorIs(t, err, schemactx.ErrSettingsMismatch)
		}
		return nil
	})
	require.NoError(t, err)
	opts := schemactx.TxOptions{Settings: map[string]string{"app.user_id": "cleo"}}
	require.NoError(t, f.db.InTxOptions(ann, opts, func(tx pgx.Tx) error {
		var user string
		require.NoError(t, tx.QueryRow(ann, "select current_setting('app.user_id')").Scan(&user))
		assert.Equal(t, "cleo", user)
		return nil
	}))
	require.NoError(t, f.db.InTx(plain, func(tx pgx.Tx) error {
		_, err := tx.Exec(ann, "select 1")
		require.ErrorIs(t, err, schemactx.ErrSettingsMismatch)
		return nil
	}))
}
