package admin_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// setupOf runs Setup as the login of db.
func setupOf(t *testing.T, db admin.Beginner, prefix string, cfg admin.SetupConfig) admin.SetupReport {
	t.Helper()
	roles, err := schemactx.NewRoleNames(prefix)
	require.NoError(t, err)
	cfg.Roles = roles
	report, err := admin.Setup(t.Context(), db, cfg)
	require.NoError(t, err)
	return report
}

func TestSetupCreatesExtensionsAndTheirSchema(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	_, err := pg.Pool.Exec(t.Context(), "create extension hstore")
	require.NoError(t, err)
	cfg := admin.SetupConfig{
		ExtraSearchPath: []string{"extensions", "public", "later"},
		Extensions:      []string{"citext", "hstore", "earthdistance", "no_such_extension", `no"such`, "pg_trgm"},
	}
	report := setupOf(t, pg.Pool, pg.RolePrefix, cfg)
	require.Len(t, report.Extensions, 6)
	for i, want := range []admin.ExtensionAction{
		{Name: "citext", Schema: "extensions"},
		{Name: "hstore", Schema: "public", Outcome: admin.ActionAlready}, // it stays where it is
		{Name: "earthdistance", Schema: "extensions"},                    // requires cube
		{Name: "no_such_extension", Outcome: admin.ActionImpossible},
		{Name: `no"such`, Outcome: admin.ActionImpossible},
		{Name: "pg_trgm", Schema: "extensions"},
	} {
		got := report.Extensions[i]
		assert.Equal(t, want.Outcome == admin.ActionImpossible, got.Err != nil, got.String())
		got.Err = nil
		assert.Equal(t, want, got)
	}
	missing := (*admin.ExtensionError)(nil)
	require.ErrorAs(t, report.Err(), &missing)
	assert.Equal(t, "no_such_extension", missing.Name)
	assert.ErrorContains(t, report.Err(), "is not installed on the server")
	assert.True(t, report.Changed())

	cfg.Extensions = []string{"citext", "hstore", "pg_trgm"}
	again := setupOf(t, pg.Pool, pg.RolePrefix, cfg)
	require.NoError(t, again.Err())
	assert.False(t, again.Changed(), "%v", again.Actions)
	assert.Contains(t, again.Actions, admin.Action{
		What: `grant USAGE on schema "later" to public, which does not exist yet`, Outcome: admin.ActionImpossible,
	})
	var usage, create bool
	require.NoError(
		t,
		pg.Pool.QueryRow(t.Context(), "select has_schema_privilege($1, 'extensions', 'usage'), has_schema_privilege($1, "+
			"'extensions', 'create')",
			again.Roles.Runtime()).
			Scan(&usage, &create),
	)
	assert.True(t, usage)
	assert.False(t, create)
}

// A role that owns the database may create trusted extensions (citext), but no others
// (pageinspect).
func TestSetupReportsExtensionsThatTheAdministratorMayNotCreate(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	role := pg.RolePrefix + "_dba"
	_, err := pg.Pool.Exec(
		t.Context(),
		"create role "+role+" login createrole password 'dba'; alter database "+pg.Name+" owner to "+role,
	)
	require.NoError(t, err)
	dba := openPool(t, pg.URLAs(role, "dba"), 1)
	report := setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{
		Extensions: []string{"pageinspect", "citext"}, ExtensionSchema: "Lib", ExtraSearchPath: []string{"Lib"},
	})
	require.Len(t, report.Extensions, 2)
	assert.Equal(t, admin.ExtensionAction{Name: "citext", Schema: "Lib"}, report.Extensions[1])
	pgErr := (*pgconn.PgError)(nil)
	require.ErrorAs(t, report.Extensions[0].Err, &pgErr)
	assert.Equal(t, "42501", pgErr.Code)
	assert.ErrorContains(t, report.Err(), "this login may not create it")
}

// A trusted extension needs no superuser, only CREATE on the database, which the owner of the
// database can grant.
func TestSetupReportsWhatATrustedExtensionNeeds(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	provider, theirs := loginOf(t, pg, "provider", "nosuperuser")
	superuser(t, pg, "alter database %s owner to %s; create schema extensions", pg.Name, provider)
	dba, pool := loginOf(t, pg, "dba", "createrole")
	cfg := admin.SetupConfig{Extensions: []string{"citext", "pageinspect"}}
	report := setupOf(t, pool, pg.RolePrefix, cfg)
	var e *admin.PrivilegeError
	require.ErrorAs(t, report.Extensions[0].Err, &e)
	assert.Equal(t, admin.PrivilegeError{
		Login:     dba,
		Statement: `create extension "citext" schema "extensions" cascade`,
		Missing:   `CREATE on database "` + pg.Name + `"`,
		By:        []string{provider},
		Err:       e.Err,
	}, *e)
	assert.ErrorContains(t, report.Err(), `extension "citext": role "`+dba+`" cannot run: create extension "citext"`)
	assert.NotErrorAs(t, report.Extensions[1].Err, new(*admin.PrivilegeError))
	_, err := theirs.Exec(t.Context(), "grant create on database "+pg.Name+" to "+dba)
	require.NoError(t, err)
	assert.Equal(t, admin.ActionDone, setupOf(t, pool, pg.RolePrefix, cfg).Extensions[0].Outcome)
}

func TestSetupRefusesNamesBeforeItBegins(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	for _, cfg := range []admin.SetupConfig{
		{Extensions: []string{"citext", ""}},
		{Extensions: []string{"citext", "citext"}},
		{Extensions: []string{"cit\x00ext"}},
		{Extensions: []string{"citext"}, ExtensionSchema: "pg_catalog"},
		{ExtraSearchPath: []string{"pg_temp"}},
	} {
		cfg.Roles = roles
		_, err := admin.Setup(t.Context(), pg.Pool, cfg)
		require.Error(t, err, "%+v", cfg)
		assert.True(
			t,
			errors.As(err, new(*admin.ExtensionError)) || errors.As(err, new(*schemactx.SearchPathError)),
			"%v",
			err,
		)
	}
	var made bool
	require.NoError(t, pg.Pool.QueryRow(t.Context(), "select to_regrole($1) is not null", roles.Owner()).Scan(&made))
	assert.False(t, made)
}
