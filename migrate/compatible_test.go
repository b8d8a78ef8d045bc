package migrate_test

import (
	"context"
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

// release returns a source with the files 1 to n, each of which creates a table.
func release(name string, n int, compatibleFrom, base int64) migrate.Source {
	files := make(fstest.MapFS)
	for v := 1; v <= n; v++ {
		files[fmt.Sprintf("%05d_%s.sql", v, name)] = &fstest.MapFile{
			Data: []byte(
				fmt.Sprintf("-- +goose Up\ncreate table %s_%d (id int);\n-- +goose Down\ndrop table %[1]s_%[2]d;\n", name, v),
			),
		}
	}
	return migrate.Source{Name: name, FS: fs.FS(files), CompatibleFrom: compatibleFrom, Base: base}
}

// expectStands checks that Status, the fleet and Up agree on the outcome of a schema.
func expectStands(t *testing.T, r *migrate.Runner, schema string, want migrate.Outcome) {
	t.Helper()
	status, err := r.Status(t.Context(), schema)
	require.NoError(t, err)
	assert.Equal(t, want, status.Outcome, "%s: status says %s", schema, status.Outcome)
	for state, err := range r.Fleet(t.Context(), migrate.Schemas(schema)) {
		require.NoError(t, err)
		assert.True(t, state.Schema != schema || state.Outcome == want && (state.Err == nil) == (status.Err == nil),
			"%s: the fleet says %s (%v), want %s", schema, state.Outcome, state.Err, want)
	}
	if want == migrate.Behind {
		return
	}
	res, err := r.Up(t.Context(), schema)
	assert.Equal(t, want, res.Outcome, "%s: Up reports %s (%v)", schema, res.Outcome, err)
	assert.Empty(t, res.Applied, "%s: Up reports %s (%v)", schema, res.Outcome, err)
	assert.Equal(t, status.Err == nil, err == nil, "%s: Up reports %s (%v)", schema, res.Outcome, err)
	report, _ := r.UpAll(t.Context(), migrate.Schemas(schema), migrate.UpAllOptions{SkipShared: true})
	assert.Equal(t, 1, report.Count(want), "%s: UpAll reports %s, want %s", schema, report.Summary(), want)
	assert.Equal(t, status.Err == nil, report.Err() == nil, "%s: UpAll reports %s", schema, report.Summary())
}

func TestOlderProgramUsesCompatibleNewerSchemas(t *testing.T) {
	t.Parallel()
	f := setup(t)
	at := func(n int, from int64) *migrate.Runner { return f.tenant(t, release("app", n, from, 0)) }
	for name, up := range map[string]func(r *migrate.Runner, schema string) error{
		"one by one": func(r *migrate.Runner, schema string) error { return r.Migrate(t.Context(), schema) },
		"as a fleet": func(r *migrate.Runner, schema string) error {
			_, err := r.UpAll(t.Context(), migrate.Schemas(schema), migrate.UpAllOptions{SkipShared: true})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f.Exec(t, "drop schema if exists tenant_1 cascade; create schema tenant_1")
			require.NoError(t, up(at(2, 0), "tenant_1"))
			require.NoError(t, up(at(4, 2), "tenant_1"))
			expectStands(t, at(4, 2), "tenant_1", migrate.Current)
			expectStands(t, at(4, 0), "tenant_1", migrate.Current)
			expectStands(t, at(3, 0), "tenant_1", migrate.NewerCompatible)
			expectStands(t, at(2, 0), "tenant_1", migrate.NewerCompatible)
			expectStands(t, at(1, 0), "tenant_1", migrate.UnknownVersion)

			_, err := at(3, 0).Down(t.Context(), "tenant_1") // it may be served, and not changed
			assert.ErrorIs(t, err, migrate.ErrUnknownVersion)
			_, err = at(3, 0).UpTo(t.Context(), "tenant_1", 2)
			assert.ErrorIs(t, err, migrate.ErrUnknownVersion)
			expectStands(t, f.tenant(t, release("other", 3, 0, 0)), "tenant_1", migrate.UnknownVersion) // of no source
			expectStands(t, f.tenant(t, release("app", 3, 0, 0), release("more", 1, 0, 100)), "tenant_1", migrate.UnknownVersion)

			require.NoError(t, up(at(5, 5), "tenant_1")) // withdraws what was permitted
			expectStands(t, at(4, 2), "tenant_1", migrate.UnknownVersion)
			require.NoError(t, up(at(6, 4), "tenant_1"))
			expectStands(t, at(4, 2), "tenant_1", migrate.NewerCompatible)
			expectStands(t, at(3, 2), "tenant_1", migrate.UnknownVersion)
			_, err = at(6, 4).DownTo(t.Context(), "tenant_1", 4)
			require.NoError(t, err)
			expectStands(t, at(4, 2), "tenant_1", migrate.Current)
		})
	}
}

func TestCompatibilityIsPerSource(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, lock := range map[string]migrate.Lock{
		"advisory": migrate.LockAdvisory, "table": migrate.LockTable, "session": migrate.LockSession,
	} {
		t.Run(name, func(t *testing.T) {
			f.Exec(t, "drop schema if exists tenant_1 cascade; create schema tenant_1")
			with := func(app, wiki migrate.Source) *migrate.Runner {
				return f.runnerWith(t, migrate.Config{Tenant: []migrate.Source{app, wiki}, Lock: lock})
			}
			require.NoError(t, with(release("app", 2, 1, 0), release("wiki", 3, 2, 1000)).Migrate(t.Context(), "tenant_1"))
			for _, c := range []struct {
				app, wiki int
				want      migrate.Outcome
			}{
				{2, 3, migrate.Current},
				{1, 3, migrate.NewerCompatible},
				{2, 2, migrate.NewerCompatible},
				{1, 2, migrate.NewerCompatible},
				{2, 1, migrate.UnknownVersion},
				{1, 1, migrate.UnknownVersion},
				{3, 2, migrate.UnknownVersion}, // one source is newer, the other older: it cannot be migrated
			} {
				expectStands(t, with(release("app", c.app, 0, 0), release("wiki", c.wiki, 0, 1000)), "tenant_1", c.want)
			}
			require.NoError(t, with(release("app", 3, 0, 0), release("wiki", 3, 2, 1000)).Migrate(t.Context(), "tenant_1"))
			expectStands(t, with(release("app", 3, 0, 0), release("wiki", 2, 0, 1000)), "tenant_1", migrate.NewerCompatible)
			expectStands(t, with(release("app", 2, 0, 0), release("wiki", 3, 0, 1000)), "tenant_1", migrate.UnknownVersion)
		})
	}
}

func TestFunctionsAreCompatibleAsFilesAre(t *testing.T) {
	t.Parallel()
	f := setup(t)
	fill := migrate.GoMigration{Version: 3, Name: "fill", Up: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into app_1 values (1)")
		return err
	}}
	newer := release("app", 2, 2, 0)
	newer.Go = []migrate.GoMigration{fill}
	require.NoError(t, f.tenant(t, newer).Migrate(t.Context(), "tenant_1"))
	expectStands(t, f.tenant(t, release("app", 2, 0, 0)), "tenant_1", migrate.NewerCompatible)
	expectStands(t, f.tenant(t, release("app", 1, 0, 0)), "tenant_1", migrate.UnknownVersion)

	_, err := f.tenant(t, newer).Baseline(t.Context(), "tenant_2", migrate.Newest)
	require.NoError(t, err)
	expectStands(t, f.tenant(t, release("app", 2, 0, 0)), "tenant_2", migrate.NewerCompatible)
}

func TestThePublicSchemaIsCompatibleToo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t,
		f.runnerWith(t, migrate.Config{Shared: []migrate.Source{release("app", 3, 2, 0)}}).Migrate(t.Context(), "public"))
	require.NoError(t,
		f.runnerWith(t, migrate.Config{Shared: []migrate.Source{release("app", 2, 0, 0)}}).Migrate(t.Context(), "public"))
	err := f.runnerWith(t, migrate.Config{Shared: []migrate.Source{release("app", 1, 0, 0)}}).
		Migrate(t.Context(), "public")
	assert.ErrorIs(t, err, migrate.ErrUnknownVersion)
}

func TestInvalidCompatibilityNotePermitsNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	require.NoError(t, f.tenant(t, release("app", 3, 1, 0)).Migrate(t.Context(), "tenant_1"))
	older := f.tenant(t, release("app", 2, 0, 0))
	expectStands(t, older, "tenant_1", migrate.NewerCompatible)
	for _, compatible := range []string{
		`null`, `[]`, `"app"`, `{}`, `{"app": 1}`, `{"app": {"from": 0, "versions": [3]}}`,
		`{"app": {"from": -1, "versions": [3]}}`,
		`{"app": {"from": "1", "versions": [3]}}`, `{"app": {"from": 1}}`, `{"app": {"from": 1, "versions": [4]}}`,
		`{"": {"from": 1, "versions": [3]}}`, `{"wiki": {"from": 1, "versions": [3]}}`,
		`{"app": {"from": 3, "versions": [3]}}`,
	} {
		f.Exec(t, `comment on table tenant_1.goose_db_version is '{"pgtenant": {}, "compatible": `+compatible+`}'`)
		expectStands(t, older, "tenant_1", migrate.UnknownVersion)
	}
	f.Exec(t, `comment on table tenant_1.goose_db_version is 'of another program'`)
	expectStands(t, older, "tenant_1", migrate.UnknownVersion)
	f.Exec(t, `comment on table tenant_1.goose_db_version is null`)
	expectStands(t, older, "tenant_1", migrate.UnknownVersion)
}

func TestCompatibleFromIsAVersionOfTheSource(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, src := range []migrate.Source{
		release("app", 2, -1, 0), release("app", 2, 3, 0), release("app", 2, 1001, 1000), release("app", 2, 1<<63-1, 1000),
	} {
		_, err := migrate.New(f.PG.Pool, migrate.Config{Tenant: []migrate.Source{src}})
		assert.ErrorContains(t, err, "CompatibleFrom", "%d from %d", src.CompatibleFrom, src.Base)
	}
	// If no older program is compatible, the comment has no such part.
	require.NoError(t, f.tenant(t, release("app", 2, 2, 0)).Migrate(t.Context(), "tenant_1"))
	var comment string
	f.Scan(t, "select obj_description('tenant_1.goose_db_version'::regclass)", &comment)
	assert.NotContains(t, comment, "compatible", "the comment")
}
