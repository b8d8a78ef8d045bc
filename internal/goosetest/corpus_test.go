package goosetest_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate/drift"
)

// corpus returns files in which it is hard to find the ends of statements.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/files/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	contents := make(map[string]string)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		contents[filepath.Base(file)] = string(content)
	}
	return contents
}

func TestGooseAndMigrateSendTheSameStatementsOfTheCorpus(t *testing.T) {
	t.Parallel()
	for name, content := range corpus(t) {
		_, err := newRunner(t, content)
		require.NoError(t, err, name)
		assert.NoError(t, agree(t, content), name)
	}
}

// TestCorpusGivesTheSameSchemas runs each file up and down, with goose in one schema and with
// package migrate in another.
func TestCorpusGivesTheSameSchemas(t *testing.T) {
	t.Parallel()
	const second = "tenant_2"
	for name, content := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, fstest.MapFS{"00001_a.sql": {Data: []byte(content)}})
			b.exec(t, "create schema "+second)
			_, err := b.goose.Up(t.Context())
			require.NoError(t, err)
			_, err = b.runner.Up(t.Context(), second)
			require.NoError(t, err)
			assert.Equal(t, b.rows(t, schema), b.rows(t, second), "rows")
			assert.Equal(t, b.structure(t, schema), b.structure(t, second), "structure")
			_, err = b.goose.Down(t.Context())
			require.NoError(t, err)
			_, err = b.runner.DownTo(t.Context(), second, 0)
			require.NoError(t, err)
			assert.Equal(t, b.structure(t, schema), b.structure(t, second), "what is left")
		})
	}
}

func (b *both) structure(t *testing.T, schema string) []drift.Object {
	t.Helper()
	for s, err := range drift.Read(t.Context(), b.pg.Pool, drift.ReadOptions{}, schema) {
		require.NoError(t, err)
		return s.Objects
	}
	return nil
}

// rows returns the content of the tables of a schema as text.
func (b *both) rows(t *testing.T, schema string) string {
	t.Helper()
	return b.text(t, `select coalesce(string_agg(t.tablename || ': ' ||
		query_to_xml(format('select t::text as row from %I.%I t order by 1', t.schemaname, t.tablename), true, false,
			'')::text, E'\n'
		order by t.tablename collate "C"), '') from pg_tables t where t.tablename <> 'goose_db_version'
			and t.schemaname = '`+schema+`'`)
}
