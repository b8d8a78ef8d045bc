package migrate_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

const halfFile = `-- +goose NO TRANSACTION
-- +goose Up
create table first (id int);
create table second (id int);
create index concurrently on first (nothing);
-- +goose Down
drop table second;
drop table nowhere;
`

func TestARepeatedMigrationSaysWhereAnEarlierRunStopped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, before := range map[string]string{
		"tenant_1": "", "tenant_2": "-- +goose Up\ncreate table zero (id int);\n",
	} {
		files := map[string]string{"00002_half.sql": halfFile}
		files["00001_zero.sql"] = before
		if before == "" { // the first migration of a schema
			files = map[string]string{"00001_half.sql": halfFile}
		}
		r := f.tenant(t, texts("app", files))
		_, err := r.Up(t.Context(), name)
		var failure *migrate.Error
		require.ErrorAs(t, err, &failure)
		assert.Equal(t, 3, failure.Statement)
		var half *migrate.HalfDoneError
		require.NotErrorAs(t, err, &half, "nothing had stopped before")

		for range 2 { // the first stop stays known, whatever the later reason is
			_, err = r.Up(t.Context(), name)
			require.ErrorAs(t, err, &half)
			assert.Equal(t, 3, half.Statement)
			assert.False(t, half.Edited)
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, 1, failure.Statement)
			assert.ErrorContains(t, err, "an earlier run stopped at statement 3, and the statements before that one are done")
			var pgErr *pgconn.PgError
			require.ErrorAs(t, err, &pgErr)
			assert.Equal(t, "42P07", pgErr.Code)
		}

		// The corrected file stops earlier. The noted statement is that of another file.
		edited := map[string]string{}
		for file, text := range files {
			edited[file] = text
			if text == halfFile {
				edited[file] = "-- +goose NO TRANSACTION\n-- +goose Up\ncreate table if not exists first (id int);\n" +
					"create table second (id int);\nselect 1;\n"
			}
		}
		_, err = f.tenant(t, texts("app", edited)).Up(t.Context(), name)
		require.ErrorAs(t, err, &half)
		assert.True(t, half.Edited)
		f.Exec(t, "drop table "+name+".second")
		_, err = f.tenant(t, texts("app", edited)).Up(t.Context(), name)
		require.NoError(t, err)
		var comment string
		f.Scan(t, "select obj_description('"+name+".goose_db_version'::regclass)", &comment)
		assert.NotContains(t, comment, "half")
	}
}

func TestAMigrationDownSaysWhereAnEarlierRunStopped(t *testing.T) {
	t.Parallel()
	f := setup(t)
	down := "-- +goose NO TRANSACTION\n-- +goose Up\ncreate table first (id int);\ncreate table second (id int);\n" +
		"-- +goose Down\ndrop table second;\ndrop table nowhere;\n"
	r := f.tenant(t, texts("app", map[string]string{"00001_half.sql": down}))
	_, err := r.Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	_, err = r.Down(t.Context(), "tenant_1")
	require.Error(t, err)
	_, err = r.Down(t.Context(), "tenant_1")
	var half *migrate.HalfDoneError
	require.ErrorAs(t, err, &half)
	assert.Equal(t, 2, half.Statement)
}

// TestAMigrationThatWasCutOffSaysSoWhenItIsRepeated kills a session in the middle of a migration.
// Then there is no error, only the note.
func TestAMigrationThatWasCutOffSaysSoWhenItIsRepeated(t *testing.T) {
	t.Parallel()
	f := setup(t)
	r := f.tenant(t, texts("app", map[string]string{"00001_half.sql": "-- +goose NO TRANSACTION\n-- +goose Up\n" +
		"create table first (id int);\nselect pg_terminate_backend(pg_backend_pid());\ncreate table second (id int);\n"}))
	_, err := r.Up(t.Context(), "tenant_1")
	require.Error(t, err)
	_, err = r.Up(t.Context(), "tenant_1")
	var half *migrate.HalfDoneError
	require.True(t, errors.As(err, &half), "%v", err)
	assert.Equal(t, 2, half.Statement)
}
