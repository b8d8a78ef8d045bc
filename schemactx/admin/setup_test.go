package admin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// loginOf creates a login with the attributes, and returns its name and a pool of it.
func loginOf(t *testing.T, pg *pgtest.DB, name, attributes string) (string, *pgxpool.Pool) {
	t.Helper()
	role := pg.RolePrefix + "_" + name
	_, err := pg.Pool.Exec(t.Context(), "create role "+role+" login password 'dba' "+attributes)
	require.NoError(t, err)
	return role, openPool(t, pg.URLAs(role, "dba"), 2)
}

// privilegeErrors returns the refused actions of a report, by their text.
func privilegeErrors(t *testing.T, report admin.SetupReport) map[string]*admin.PrivilegeError {
	t.Helper()
	found := make(map[string]*admin.PrivilegeError)
	for _, a := range report.Actions {
		if a.Err == nil {
			continue
		}
		assert.Equal(t, admin.ActionImpossible, a.Outcome, a.What)
		var e *admin.PrivilegeError
		require.ErrorAs(t, a.Err, &e)
		assert.Equal(t, a.What, e.Statement)
		found[e.Statement] = e
	}
	return found
}

func TestSetupIsCompleteForAnOwnerOfTheDatabaseWithCreaterole(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	role, dba := loginOf(t, pg, "dba", "createrole createdb")
	_, err := pg.Pool.Exec(t.Context(), "alter database "+pg.Name+" owner to "+role)
	require.NoError(t, err)
	if pgtest.Version(t) < 15 {
		_, err := pg.Pool.Exec(t.Context(), "alter schema public owner to "+role)
		require.NoError(t, err)
	}
	report := setupOf(
		t,
		dba,
		pg.RolePrefix,
		admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r", Extensions: []string{"citext"}},
	)
	require.NoError(t, report.Err())
	assert.True(t, report.Complete())
	again := setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{Extensions: []string{"citext"}})
	assert.False(t, again.Changed())
	assert.True(t, again.Complete())
}

// The database may belong to a group role of a service, of which the login is a NOINHERIT member.
// The login can use the group's privileges by SET ROLE. Before PostgreSQL 16 it needs SET ROLE even
// for the schema public of its own database.
func TestSetupUsesTheRightsOfALoginThatDoesNotInherit(t *testing.T) {
	t.Parallel()
	for _, owner := range []string{"dba", "group"} {
		t.Run(owner, func(t *testing.T) {
			t.Parallel()
			pg := pgtest.New(t)
			group := pg.RolePrefix + "_group"
			role, dba := loginOf(t, pg, "dba", "createrole noinherit")
			superuser(
				t,
				pg,
				"create role %[1]s; grant %[1]s to %[2]s; alter database %[3]s owner to %[4]s",
				group,
				role,
				pg.Name,
				pg.RolePrefix+"_"+owner,
			)
			if pgtest.Version(t) < 15 {
				superuser(t, pg, "alter schema public owner to %s", pg.RolePrefix+"_"+owner)
			}
			report := setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{OwnerPassword: "o", Extensions: []string{"citext"}})
			require.NoError(t, report.Err())
			var current string
			require.NoError(t, dba.QueryRow(t.Context(), "select current_user").Scan(&current))
			assert.Equal(t, role, current)
			_, err := openPool(
				t,
				pg.URLAs(report.Roles.Owner(), "o"),
				1,
			).Exec(t.Context(), "create schema s; create table public.t (name extensions.citext)")
			require.NoError(t, err)
			assert.False(t, setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{Extensions: []string{"citext"}}).Changed())
		})
	}
}

// Setup does what it can: it creates the roles. It reports the other statements and the role that
// can run them. That role then runs them.
func TestSetupReportsMissingPrivilegesInADatabaseOfAnotherRole(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	provider, theirs := loginOf(t, pg, "provider", "nosuperuser")
	_, err := pg.Pool.Exec(
		t.Context(),
		fmt.Sprintf(
			"alter database %s owner to %s; alter schema public owner to %[2]s; grant create on schema public to public",
			pg.Name,
			provider,
		),
		pgx.QueryExecModeSimpleProtocol,
	)
	require.NoError(t, err)
	dbaRole, dba := loginOf(t, pg, "dba", "createrole createdb")
	cfg := admin.SetupConfig{OwnerPassword: "o", RuntimePassword: "r", Extensions: []string{"citext"}}
	report := setupOf(t, dba, pg.RolePrefix, cfg)
	assert.False(t, report.Complete())
	assert.True(t, report.Changed())
	refused := privilegeErrors(t, report)
	for what, missing := range map[string]string{
		fmt.Sprintf(
			`revoke TEMPORARY on database "%s" from public`, pg.Name,
		): `ownership of database "` + pg.Name + `"`,
		"revoke CREATE on schema public from public": `ownership of schema "public"`,
		fmt.Sprintf(
			`grant CREATE on database "%s" to "%s"`, pg.Name, report.Roles.Owner(),
		): `ownership of database "` + pg.Name + `"`,
		fmt.Sprintf(
			`grant CONNECT on database "%s" to "%s" with grant option`, pg.Name, report.Roles.Owner(),
		): `ownership of database "` + pg.Name + `"`,
		fmt.Sprintf(
			`grant USAGE on schema public to "%s"`, report.Roles.Public(),
		): `ownership of schema "public"`,
		`create schema "extensions"`: `CREATE on database "` + pg.Name + `"`,
	} {
		require.Contains(t, refused, what)
		e := refused[what]
		assert.Equal(t, missing, e.Missing)
		assert.Equal(t, []string{provider}, e.By)
		assert.Equal(t, dbaRole, e.Login)
		assert.ErrorContains(t, report.Err(), what+": it lacks "+missing+`; "`+provider+`" or a superuser can run it`)
		_, err := theirs.Exec(t.Context(), what) // the named role can run it
		require.NoError(t, err, what)
	}
	require.NoError(t, openPool(t, pg.URLAs(report.Roles.Owner(), "o"), 1).Ping(t.Context()))

	// The other statements, which the first report has named too.
	for what := range refused {
		_, err := theirs.Exec(t.Context(), what)
		if !errors.As(err, new(*pgconn.PgError)) { // the schema exists by now
			require.NoError(t, err)
		}
	}
	again := setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{})
	require.NoError(t, again.Err())
	assert.False(t, again.Changed())
}

// A service or Terraform may have created the roles. Setup gives them the attributes that they
// lack, or reports those that it may not give.
func TestSetupCompletesRolesThatExist(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	dbaRole, dba := loginOf(t, pg, "dba", "createrole")
	sql := "create role %[1]s_public login createdb; create role %[1]s_runtime nologin inherit createrole; " +
		"create role %[1]s_owner nologin; alter database %[2]s owner to %[3]s;"
	if pgtest.Version(t) < 15 {
		sql += "alter schema public owner to %[3]s;"
	}
	superuser(t, pg, sql, pg.RolePrefix, pg.Name, dbaRole)
	cfg := admin.SetupConfig{Roles: roles, OwnerPassword: "o"}

	// Without the comment the roles may be another program's.
	_, err = admin.Setup(t.Context(), dba, cfg)
	require.ErrorIs(t, err, admin.ErrTaken)
	hint := `comment on role "` + roles.Public() + `" is 'pgtenant role of database ` + pg.Name + `'`
	require.ErrorContains(t, err, hint)
	for _, role := range []string{roles.Public(), roles.Runtime(), roles.Owner()} {
		superuser(t, pg, "%s", strings.Replace(hint, roles.Public(), role, 1))
	}

	report := setupOf(t, dba, pg.RolePrefix, cfg)
	if pgtest.Version(t) >= 16 {
		refused := privilegeErrors(t, report)
		for statement, role := range map[string]string{
			`alter role "` + roles.Owner() + `" login`:          roles.Owner(),
			`alter role "` + roles.Owner() + `" createrole`:     roles.Owner(),
			`alter role "` + roles.Runtime() + `" noinherit`:    roles.Runtime(),
			`alter role "` + roles.Runtime() + `" nocreaterole`: roles.Runtime(),
			`alter role "` + roles.Public() + `" nologin`:       roles.Public(),
			`alter role "` + roles.Public() + `" nocreatedb`:    roles.Public(),
		} {
			require.Contains(t, refused, statement)
			assert.Equal(t, `ADMIN OPTION on role "`+role+`"`, refused[statement].Missing)
			assert.Empty(t, refused[statement].By)
		}
		superuser(t, pg, "grant %s, %s, %s to %s with admin option", roles.Public(), roles.Runtime(), roles.Owner(), dbaRole)
		superuser(t, pg, "alter role %s createdb", dbaRole) // to change CREATEDB of a role, a login needs CREATEDB
		report = setupOf(t, dba, pg.RolePrefix, cfg)
	}
	require.NoError(t, report.Err())
	assert.False(t, setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{}).Changed())
	_, err = admin.Provision(t.Context(), openPool(t, pg.URLAs(roles.Owner(), "o"), 1), roles, "school")
	require.NoError(t, err)

	superuser(t, pg, "alter role %s superuser bypassrls", roles.Runtime())
	refused := privilegeErrors(t, setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{}))
	require.Contains(t, refused, `alter role "`+roles.Runtime()+`" nosuperuser`)
	assert.Equal(t, "SUPERUSER", refused[`alter role "`+roles.Runtime()+`" nosuperuser`].Missing)
	assert.Contains(t, refused, `alter role "`+roles.Runtime()+`" nobypassrls`)
	require.NoError(t, setupOf(t, pg.Pool, pg.RolePrefix, admin.SetupConfig{}).Err())
	assert.True(t, setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{}).Complete())
}

func superuser(t *testing.T, pg *pgtest.DB, sql string, args ...any) {
	t.Helper()
	_, err := pg.Pool.Exec(t.Context(), fmt.Sprintf(sql, args...), pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err, sql)
}

// Without CREATEROLE, Setup creates no roles, but still sets the privileges of the database.
func TestSetupReportsRolesWithCreaterole(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	role, dba := loginOf(t, pg, "dba", "nocreaterole")
	other, _ := loginOf(t, pg, "other", "createrole")
	_, err := pg.Pool.Exec(t.Context(), "alter database "+pg.Name+" owner to "+role)
	require.NoError(t, err)
	report := setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{OwnerPassword: "o"})
	refused := privilegeErrors(t, report)
	what := `create role "` + report.Roles.Owner() + `" login noinherit createrole`
	require.Contains(t, refused, what)
	assert.Equal(t, "CREATEROLE", refused[what].Missing)
	assert.Contains(t, refused[what].By, other)
	what = `alter role "` + report.Roles.Owner() + `" password`
	assert.Contains(t, refused, what)
	assert.Contains(t, done(report.Actions), "revoke TEMPORARY on database "+pg.Name+" from public")
	assert.False(t, report.Complete())
}

// Since PostgreSQL 16, a login with only CREATEROLE cannot change roles that another login has
// created.
func TestSetupReportsRolesWithAdminOption(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	first, dba := loginOf(t, pg, "first", "createrole")
	report := setupOf(t, dba, pg.RolePrefix, admin.SetupConfig{})
	_, second := loginOf(t, pg, "second", "createrole")
	_, err := pg.Pool.Exec(
		t.Context(),
		"revoke "+report.Roles.Public()+" from "+report.Roles.Runtime()+" granted by "+first,
	)
	require.NoError(t, err)
	refused := privilegeErrors(t, setupOf(t, second, pg.RolePrefix, admin.SetupConfig{RuntimePassword: "r"}))
	runtime, public := report.Roles.Runtime(), report.Roles.Public()
	for what, role := range map[string]string{
		`alter role "` + runtime + `" password`:                                    runtime,
		`grant "` + public + `" to "` + runtime + `" with inherit false, set true`: public,
	} {
		if pgtest.Version(t) < 16 {
			assert.NotContains(t, refused, what)
			continue
		}
		require.Contains(t, refused, what)
		assert.Equal(t, `ADMIN OPTION on role "`+role+`"`, refused[what].Missing)
		assert.Equal(t, []string{first}, refused[what].By)
	}

	// A role with ADMIN OPTION but without CREATEROLE lacks CREATEROLE.
	third, pool := loginOf(t, pg, "third", "nocreaterole")
	superuser(t, pg, "grant %s to %s with admin option", report.Roles.Runtime(), third)
	refused = privilegeErrors(t, setupOf(t, pool, pg.RolePrefix, admin.SetupConfig{RuntimePassword: "r"}))
	what := `alter role "` + report.Roles.Runtime() + `" password`
	require.Contains(t, refused, what)
	assert.Equal(t, "CREATEROLE", refused[what].Missing)
	assert.Contains(t, refused[what].By, first)
}

// A service may refuse only a password. passwordcheck refuses a password that is equal to the
// login's name.
func TestSetupReportsAPasswordThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	_, err := pg.Pool.Exec(t.Context(), "alter database "+pg.Name+" set session_preload_libraries = 'passwordcheck'")
	require.NoError(t, err)
	adminPool := openPool(t, pg.URL, 1)
	roles, err := schemactx.NewRoleNames(pg.RolePrefix)
	require.NoError(t, err)
	report := setupOf(t, adminPool, pg.RolePrefix, admin.SetupConfig{OwnerPassword: roles.Owner(), RuntimePassword: "r"})
	refused := privilegeErrors(t, report)
	require.Len(t, refused, 1)
	e := refused[`alter role "`+roles.Owner()+`" password`]
	require.NotNil(t, e)
	assert.Empty(t, e.Missing)
	var pgErr *pgconn.PgError
	require.ErrorAs(t, e, &pgErr)
	assert.Equal(t, "22023", pgErr.Code)
	require.NoError(t, openPool(t, pg.URLAs(roles.Runtime(), "r"), 1).Ping(t.Context()))
}
