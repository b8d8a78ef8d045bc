package migrate_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/migrate"
)

func nothing(context.Context, pgx.Tx) error        { return nil }
func nothingNoTx(context.Context, *pgx.Conn) error { return nil }

func TestBaseGivesEachModuleItsOwnVersions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	library := texts("library", map[string]string{"00001_lib.sql": "-- +goose Up\ncreate table lib ();\n"})
	library.Base = 1000
	library.Go = []migrate.GoMigration{{Version: 2, Name: "more", Up: nothing}}
	r := f.tenant(t, library, texts("app", both))
	var got []string
	for _, m := range r.Migrations() {
		got = append(got, m.Source+" "+m.File)
	}
	want := "app 00001_a.sql, app 00002_b.sql, app 00003_c.sql, library 00001_lib.sql, library 00002_more.go"
	assert.Equal(t, want, strings.Join(got, ", "), "migrations %q", got)
	res, err := r.Up(t.Context(), "tenant_1")
	require.NoError(t, err)
	expectVersions(t, res.Applied, 1, 2, 3, 1001, 1002)
}

func TestSourcesThatDoNotFit(t *testing.T) {
	t.Parallel()
	f := setup(t)
	up := "-- +goose Up\n"
	goSource := func(g migrate.GoMigration) []migrate.Source {
		return []migrate.Source{{Name: "app", Go: []migrate.GoMigration{g}}}
	}
	for name, c := range map[string]struct {
		sources []migrate.Source
		reason  string // of the ParseError; empty: no error
	}{
		"a gap": {
			[]migrate.Source{texts("a", map[string]string{"1_a.sql": up, "3_c.sql": up})},
			"leaves a gap after 1_a.sql",
		},
		"numbers from 7": {[]migrate.Source{texts("a", map[string]string{"7_a.sql": up, "8_c.sql": up})}, ""},
		"dates": {[]migrate.Source{texts("a",
			map[string]string{"20250101_a.sql": up, "20250301120000_c.sql": up})}, ""},
		"numbers, then dates": {[]migrate.Source{texts("a", map[string]string{
			"1_a.sql": up, "2_b.sql": up,
			"20250301120000_c.sql": up,
		})}, ""},
		"a gap behind a base": {[]migrate.Source{{
			Name: "a", Base: 20_000_000,
			FS: texts("a", map[string]string{"1_a.sql": up, "3_c.sql": up}).FS,
		}}, "leaves a gap"},
		"the same number": {
			[]migrate.Source{texts("a", map[string]string{"1_a.sql": up, "01_b.sql": up})},
			"has the version 1 of a/01_b.sql",
		},
		"two modules": {[]migrate.Source{
			texts("a", map[string]string{"1_a.sql": up}),
			texts("b", map[string]string{"1_a.sql": up}),
		}, "has the version 1 of a/1_a.sql"},
		"file and function": {[]migrate.Source{{
			Name: "a", FS: fstest.MapFS{"1_a.sql": {Data: []byte(up)}},
			Go: []migrate.GoMigration{{Version: 1, Name: "b", Up: nothing}},
		}}, "has the version 1"},
		"too large": {[]migrate.Source{{
			Name: "a", Base: 1,
			Go: []migrate.GoMigration{{Version: migrate.Newest, Name: "b", Up: nothing}},
		}}, "too large"},
		"neither Up": {goSource(migrate.GoMigration{Version: 1, Name: "a"}), "exactly one of Up and UpNoTx"},
		"both Ups": {
			goSource(migrate.GoMigration{Version: 1, Name: "a", Up: nothing, UpNoTx: nothingNoTx}),
			"exactly one of Up and UpNoTx",
		},
		"both Downs": {goSource(migrate.GoMigration{
			Version: 1, Name: "a", Up: nothing, Down: nothing,
			DownNoTx: nothingNoTx,
		}), "both Down"},
		"no version":          {goSource(migrate.GoMigration{Name: "a", Up: nothing}), "version below 1"},
		"no name":             {goSource(migrate.GoMigration{Version: 1, Up: nothing}), "name"},
		"a name of two lines": {goSource(migrate.GoMigration{Version: 1, Name: "a\nb", Up: nothing}), "name"},
		"text that is not UTF-8": {
			[]migrate.Source{texts("a", map[string]string{"1_a.sql": up + "select '\xff';\n"})},
			"UTF-8",
		},
		"variables": {[]migrate.Source{texts("a", map[string]string{"1_a.sql": "-- +goose ENVSUB ON\n" + up})}, "ENVSUB"},
	} {
		_, err := migrate.New(f.PG.Pool, migrate.Config{Tenant: c.sources})
		if c.reason == "" {
			assert.NoError(t, err, name)
			continue
		}
		var parseErr *migrate.ParseError
		if assert.ErrorAs(t, err, &parseErr, name) {
			assert.Contains(t, parseErr.Reason, c.reason, name)
		}
	}
	for name, cfg := range map[string]migrate.Config{
		"nothing in it": {Tenant: []migrate.Source{{Name: "a"}}},
		"no name":       {Tenant: []migrate.Source{{FS: fstest.MapFS{}}}},
		"no files":      {Tenant: []migrate.Source{{Name: "a", FS: fstest.MapFS{}}}},
		"negative base": {Tenant: []migrate.Source{{
			Name: "a", Base: -1,
			Go: []migrate.GoMigration{{Version: 1, Name: "b", Up: nothing}},
		}}},
		"a name twice": {Tenant: []migrate.Source{
			texts("a", map[string]string{"1_a.sql": up}),
			texts("a", map[string]string{"2_a.sql": up}),
		}},
		"unknown lock":     {Lock: 9},
		"unknown policy":   {OutOfOrder: 9},
		"negative timeout": {StatementTimeout: -1},
	} {
		_, err := migrate.New(f.PG.Pool, cfg)
		assert.Error(t, err, "%s: no error", name)
	}
}
