package tenancy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// An object that contains the name of its schema as text contains the old name after a rename.
func TestRenameRefusesReferencesInText(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for slug, sql := range map[string]string{
		"from-current": `set local search_path = SCHEMA, pg_temp;
			create function f() returns int language sql set search_path from current as 'select 1'`,
		"procedure": "create procedure SCHEMA.p() language sql set search_path = SCHEMA, pg_temp as ''",
		"body": `create function SCHEMA.f() returns bigint language plpgsql
			as 'begin return (select count(*) from SCHEMA.notes); end'`,
		"string": `create function SCHEMA.f() returns bool language plpgsql
			as $$begin return to_regnamespace('SCHEMA') is null; end$$`,
		"elsewhere": `create schema other; create function other.f() returns int language plpgsql
			as 'begin perform 1 from SCHEMA.notes; return 1; end'`,
		"default": "create sequence SCHEMA.s; alter table SCHEMA.notes add n bigint default nextval('SCHEMA.s'::text)",
		"check":   "alter table SCHEMA.notes add check (to_regclass('SCHEMA.notes'::text) is not null)",
		"view":    "create view SCHEMA.v as select to_regclass('SCHEMA.notes'::text) r",
		"trigger": `create function SCHEMA.t() returns trigger language plpgsql as 'begin return new; end';
			create trigger t before insert on SCHEMA.notes for each row execute function SCHEMA.t('SCHEMA')`,
		"login-setting": "alter role OWNER set search_path = SCHEMA",
	} {
		a := f.create(t, slug)
		sql = strings.NewReplacer("SCHEMA", a.Schema, "OWNER", `"`+f.roles.Owner()+`"`).Replace(sql)
		_, err := f.pg.Pool.Exec(t.Context(), "begin; "+sql+"; commit")
		require.NoError(t, err, slug)
		before := f.snapshot(t)
		_, err = f.tenants.Rename(t.Context(), slug, tenancy.RenameParams{Schema: "renamed", Slug: "renamed"})
		var text *admin.TextError
		require.ErrorAs(t, err, &text, slug)
		require.Len(t, text.Objects, 1, slug)
		require.Equal(t, before, f.snapshot(t), slug)
	}
	a := f.create(t, "fine")
	followed := `create sequence SCHEMA.s; alter table SCHEMA.notes add n bigint default nextval('SCHEMA.s');
		create view SCHEMA.v as select * from SCHEMA.notes;
		create function SCHEMA.f() returns bigint begin atomic select count(*) from SCHEMA.notes; end;
		create function SCHEMA.g() returns text language sql as 'select ''xSCHEMAx.y''::text'`
	_, err := f.pg.Pool.Exec(t.Context(), strings.ReplaceAll(followed, "SCHEMA", a.Schema))
	require.NoError(t, err)
	_, err = f.tenants.Rename(t.Context(), "fine", tenancy.RenameParams{Schema: "renamed"})
	require.NoError(t, err)
	_, err = f.tenants.Rename(t.Context(), "body", tenancy.RenameParams{Schema: "broken", AllowBroken: true})
	require.NoError(t, err)
}
