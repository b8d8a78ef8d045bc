package backup_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// features are migrations that create every feature that FORMAT.md lists as supported, as far as
// the server has it.
func features(t testing.TB) []migrate.Source {
	t.Helper()
	sources := []migrate.Source{{Name: "features", FS: os.DirFS("testdata/features")}}
	if pgtest.Version(t) >= 18 {
		sources = append(sources, migrate.Source{Name: "features18", FS: os.DirFS("testdata/features18"), Base: 1000})
	}
	return sources
}

// createFeatures creates a tenant with the features, and rows that use them.
func (f *fixture) createFeatures(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	tenant := f.create(t, slug)
	rows, err := os.ReadFile("testdata/features_rows.sql")
	require.NoError(t, err)
	f.exec(t, tenant.Schema, string(rows))
	if pgtest.Version(t) >= 18 {
		f.exec(t, tenant.Schema, "insert into virtual_totals (net) values (1), (null)")
	}
	return tenant
}

func TestEveryFeatureIsBackedUp(t *testing.T) {
	t.Parallel()
	f := setup(t, features(t)...)
	tenant := f.createFeatures(t, "north")
	info, err := f.service(t, backup.Config{}).Backup(t.Context(), "north", backup.BackupOptions{})
	require.NoError(t, err)
	h, m, tables := f.stored(t, info.Name, archive.ReaderOptions{})

	var want []string // from a slower query of the catalog
	rows, err := f.owner.Query(t.Context(), `select relname::text from pg_class where relnamespace = $1::regnamespace
		and relkind in ('r', 'p') and not relispartition and relname <> 'goose_db_version' order by relname collate "C"`,
		tenant.Schema)
	require.NoError(t, err)
	want, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	var got []string
	for i, table := range h.Tables {
		got = append(got, table.Name)
		expectSame(t, f, tenant.Schema, table, tables[table.Name], m.Tables[i].Rows)
	}
	assert.GreaterOrEqual(t, len(want), 30, "tables %q, want %q", got, want)
	assert.Equal(t, want, got, "tables")
	expectHeader(t, h)
}

// expectSame loads the CSV of a table into another table and compares all rows, in both directions.
func expectSame(t *testing.T, f *fixture, schema string, table archive.Table, csv string, count int64) {
	t.Helper()
	original, err := schemactx.QuoteName(schema, table.Name)
	require.NoError(t, err)
	columns := table.Stored()
	for i := range columns {
		columns[i], err = schemactx.QuoteName(columns[i])
		require.NoError(t, err)
	}
	list := strings.Join(columns, ", ")
	from := original
	if table.Name == "vehicles" {
		from = "only " + original
	}
	require.NoError(t, pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "create temporary table loaded (like "+original+
			" including generated) on commit drop"); err != nil {
			return err
		}
		into := "loaded"
		if list != "" {
			into += " (" + list + ")"
		}
		tag, err := tx.Conn().PgConn().CopyFrom(t.Context(), strings.NewReader(csv),
			"copy "+into+" from stdin (format csv, header)")
		if !assert.NoError(t, err, "table %q", table.Name) {
			return err
		}
		var more, less, rows int64
		a, b := "select row("+list+")::text from "+from, "select row("+list+")::text from loaded"
		err = tx.QueryRow(t.Context(), "select (select count(*) from ("+a+" except all "+b+") x), (select count(*) from ("+
			b+" except all "+a+") x), "+
			"(select count(*) from "+from+")").Scan(&more, &less, &rows)
		assert.Zero(t, more, "table %q: rows that were not loaded", table.Name)
		assert.Zero(t, less, "table %q: loaded rows that the table lacks", table.Name)
		assert.Equal(t, count, rows, "table %q: rows of the table and in the manifest", table.Name)
		assert.Equal(t, count, tag.RowsAffected(), "table %q: loaded rows and rows in the manifest", table.Name)
		return err
	}))
}

// expectHeader checks parts of the header that are not rows.
func expectHeader(t *testing.T, h archive.Header) {
	t.Helper()
	find := func(name string) archive.Table {
		i := slices.IndexFunc(h.Tables, func(t archive.Table) bool { return t.Name == name })
		return h.Tables[i]
	}
	c := find("scalars").Columns
	assert.Contains(t, c, archive.Column{Name: "mood_", Type: "{schema}.mood"}, "scalars")
	assert.Contains(t, c, archive.Column{Name: "numeric_scaled", Type: "numeric(10,2)"}, "scalars")
	assert.Contains(t, find("compounds").Columns, archive.Column{Name: "addresses", Type: "{schema}.address[]"},
		"compounds")
	c = find("identities").Columns
	if assert.Equal(t, archive.IdentityAlways, c[0].Identity, "identities: %+v", c) &&
		assert.Equal(t, archive.IdentityByDefault, c[1].Identity, "identities: %+v", c) {
		assert.Empty(t, c[2].Identity, "identities: %+v", c)
	}
	total := find("totals")
	if assert.Equal(t, archive.GeneratedStored, total.Columns[2].Generated, "totals: %+v", total) {
		assert.Equal(t, []string{"net", "rate", "label"}, total.Stored(), "totals: %+v", total)
	}
	if assert.True(t, find("measurements").Partitioned, "tables: %+v", h.Tables) &&
		assert.True(t, find("sessions").Unlogged, "tables: %+v", h.Tables) &&
		assert.Empty(t, find("nothing").Columns, "tables: %+v", h.Tables) {
		assert.Len(t, find("shrunk").Columns, 3, "tables: %+v", h.Tables)
	}
	for _, s := range []archive.Sequence{
		{Name: "tickets", Last: 982, Called: true},
		{Name: "untouched", Last: 42},
		{Name: "cycled", Last: 1, Called: true},
		{Name: "identities_always_seq", Last: 120, Called: true, Table: "identities", Column: "always", Identity: true},
		{Name: "identities_serial__seq", Last: 5, Called: true, Table: "identities", Column: "serial_"},
	} {
		assert.Contains(t, h.Sequences, s, "no %+v in %+v", s, h.Sequences)
	}
	assert.Equal(t, []archive.MaterializedView{{Name: "shard_counts", Populated: true}, {Name: "unfilled"}},
		h.MaterializedViews,
		"materialized views")
}
