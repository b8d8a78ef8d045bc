package backup_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// features are migrations that make every feature which FORMAT.md says is supported, as far as the server has it.
func features(t testing.TB) []migrate.Source {
	t.Helper()
	sources := []migrate.Source{{Name: "features", FS: os.DirFS("testdata/features")}}
	if pgtest.Version(t) >= 18 {
		sources = append(sources, migrate.Source{Name: "features18", FS: os.DirFS("testdata/features18"), Base: 1000})
	}
	return sources
}

// createFeatures makes a tenant with the features, and rows that use them.
func (f *fixture) createFeatures(t testing.TB, slug string) tenancy.Tenant {
	t.Helper()
	tenant := f.create(t, slug)
	rows, err := os.ReadFile("testdata/features_rows.sql")
	check(t, err)
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
	check(t, err)
	h, m, tables := f.stored(t, info.Name, archive.ReaderOptions{})

	var want []string // as the catalogue that takes long has them
	rows, err := f.owner.Query(t.Context(), `select relname::text from pg_class where relnamespace = $1::regnamespace
		and relkind in ('r', 'p') and not relispartition and relname <> 'goose_db_version' order by relname collate "C"`, tenant.Schema)
	check(t, err)
	want, err = pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, err)
	var got []string
	for i, table := range h.Tables {
		got = append(got, table.Name)
		expectSame(t, f, tenant.Schema, table, tables[table.Name], m.Tables[i].Rows)
	}
	if len(want) < 30 || !slices.Equal(got, want) {
		t.Errorf("tables %q, want %q", got, want)
	}
	expectHeader(t, h)
}

// expectSame loads the CSV of a table into another table and compares all rows, in both directions.
func expectSame(t *testing.T, f *fixture, schema string, table archive.Table, csv string, count int64) {
	t.Helper()
	original, err := schemactx.QuoteName(schema, table.Name)
	check(t, err)
	columns := table.Stored()
	for i := range columns {
		columns[i], err = schemactx.QuoteName(columns[i])
		check(t, err)
	}
	list := strings.Join(columns, ", ")
	from := original
	if table.Name == "vehicles" {
		from = "only " + original
	}
	check(t, pgx.BeginFunc(t.Context(), f.owner, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "create temporary table loaded (like "+original+" including generated) on commit drop"); err != nil {
			return err
		}
		into := "loaded"
		if list != "" {
			into += " (" + list + ")"
		}
		tag, err := tx.Conn().PgConn().CopyFrom(t.Context(), strings.NewReader(csv), "copy "+into+" from stdin (format csv, header)")
		if err != nil {
			t.Errorf("table %q: %v", table.Name, err)
			return err
		}
		var more, less, rows int64
		a, b := "select row("+list+")::text from "+from, "select row("+list+")::text from loaded"
		err = tx.QueryRow(t.Context(), "select (select count(*) from ("+a+" except all "+b+") x), (select count(*) from ("+b+" except all "+a+") x), "+
			"(select count(*) from "+from+")").Scan(&more, &less, &rows)
		if more != 0 || less != 0 || rows != count || tag.RowsAffected() != count {
			t.Errorf("table %q: %d rows, %d loaded, %d in the manifest; %d lost, %d made up", table.Name, rows, tag.RowsAffected(), count, more, less)
		}
		return err
	}))
}

// expectHeader looks at some of what is not rows.
func expectHeader(t *testing.T, h archive.Header) {
	t.Helper()
	find := func(name string) archive.Table {
		i := slices.IndexFunc(h.Tables, func(t archive.Table) bool { return t.Name == name })
		return h.Tables[i]
	}
	if c := find("scalars").Columns; !slices.Contains(c, archive.Column{Name: "mood_", Type: "{schema}.mood"}) ||
		!slices.Contains(c, archive.Column{Name: "numeric_scaled", Type: "numeric(10,2)"}) {
		t.Errorf("scalars: %+v", c)
	}
	if c := find("compounds").Columns; !slices.Contains(c, archive.Column{Name: "addresses", Type: "{schema}.address[]"}) {
		t.Errorf("compounds: %+v", c)
	}
	if c := find("identities").Columns; c[0].Identity != archive.IdentityAlways ||
		c[1].Identity != archive.IdentityByDefault || c[2].Identity != "" {
		t.Errorf("identities: %+v", c)
	}
	if total := find("totals"); total.Columns[2].Generated != archive.GeneratedStored || !slices.Equal(total.Stored(), []string{"net", "rate", "label"}) {
		t.Errorf("totals: %+v", total)
	}
	if !find("measurements").Partitioned || !find("sessions").Unlogged || len(find("nothing").Columns) != 0 || len(find("shrunk").Columns) != 3 {
		t.Errorf("tables: %+v", h.Tables)
	}
	for _, s := range []archive.Sequence{
		{Name: "tickets", Last: 982, Called: true},
		{Name: "untouched", Last: 42},
		{Name: "cycled", Last: 1, Called: true},
		{Name: "identities_always_seq", Last: 120, Called: true, Table: "identities", Column: "always", Identity: true},
		{Name: "identities_serial__seq", Last: 5, Called: true, Table: "identities", Column: "serial_"},
	} {
		if !slices.Contains(h.Sequences, s) {
			t.Errorf("no %+v in %+v", s, h.Sequences)
		}
	}
	if !slices.Equal(h.MaterializedViews, []archive.MaterializedView{{Name: "shard_counts", Populated: true}, {Name: "unfilled"}}) {
		t.Errorf("materialized views: %+v", h.MaterializedViews)
	}
}
