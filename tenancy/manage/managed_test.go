package manage_test

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/tenancy/manage"
)

// managedServices are the sections of MANAGED.md that have commands, with the properties of the
// service's administrator.
var managedServices = map[string]struct {
	attributes string
	group      string // the service's role that the administrator is a member of
	makes      bool   // whether the administrator creates the database; else it exists already
	selfGrant  bool   // createrole_self_grant is set
	plain      bool   // Setup gets no passwords
	whole      bool   // whether to also migrate, verify, clone and confirm a restore
}{
	"Amazon RDS and Aurora": {
		attributes: "createrole createdb",
		group:      "rds_superuser",
		whole:      true,
	},
	"Google Cloud SQL and AlloyDB": {
		attributes: "createrole createdb",
		group:      "cloudsqlsuperuser",
		selfGrant:  true,
	},
	"Azure Database for PostgreSQL, flexible server": {
		attributes: "createrole createdb replication",
		group:      "azure_pg_admin",
	},
	"Supabase": {attributes: "createrole createdb replication bypassrls", makes: true},
	"Neon":     {attributes: "createrole createdb replication bypassrls", group: "neon_superuser", plain: true},
}

var (
	managedSection = regexp.MustCompile(`(?m)^## (.*)$`)
	managedBlock   = regexp.MustCompile("(?s)```(sql|sh)\n(.*?)```")
)

// managedCommands returns the code blocks of each section of MANAGED.md: kind and text.
func managedCommands(t *testing.T) map[string][][2]string {
	t.Helper()
	page, err := os.ReadFile("../../schemactx/admin/MANAGED.md")
	require.NoError(t, err)
	commands := make(map[string][][2]string)
	parts := managedSection.FindAllStringSubmatchIndex(string(page), -1)
	for i, part := range parts {
		end := len(page)
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		for _, block := range managedBlock.FindAllStringSubmatch(string(page[part[1]:end]), -1) {
			name := string(page[part[2]:part[3]])
			commands[name] = append(commands[name], [2]string{block[1], block[2]})
		}
	}
	return commands
}

// The commands of MANAGED.md work as described, on a server where the administrator has only the
// rights that the service gives.
func TestManagedServices(t *testing.T) {
	t.Parallel()
	commands := managedCommands(t)
	require.Len(t, commands, len(managedServices))
	for name, service := range managedServices {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEmpty(t, commands[name])
			p, pg := newProgram(t)
			db := pg.RolePrefix // the name that the page uses is "school"
			dba := pg.RolePrefix + "_dba"
			superuser(t, pg, "create role "+dba+" login password 'dba' "+service.attributes)
			if service.group != "" {
				superuser(
					t,
					pg,
					"create role "+pg.RolePrefix+"_"+service.group+"; grant "+pg.RolePrefix+"_"+service.group+" to "+dba,
				)
			}
			if service.makes {
				superuser(t, pg, "create database "+db+" owner "+dba)
			}
			t.Cleanup(func() {
				_, err := pg.Pool.Exec(context.Background(), "drop database if exists "+db+" with (force)")
				assert.NoError(t, err)
			})
			maintenance := pg.URLAs(dba, "dba")
			p.admin, p.owner, p.runtime = inDatabase(
				t,
				maintenance,
				db,
			), inDatabase(
				t,
				p.owner,
				db,
			), inDatabase(
				t,
				p.runtime,
				db,
			)
			p.noPasswords = service.plain
			for _, command := range commands[name] {
				switch command[0] {
				case "sql":
					execEach(t, maintenance, strings.ReplaceAll(command[1], "school", db))
					if service.selfGrant && pgtest.Version(t) >= 16 {
						superuser(t, pg, "alter database "+db+" set createrole_self_grant = 'set, inherit'")
					}
				case "sh":
					for line := range strings.Lines(command[1]) {
						args, ok := strings.CutPrefix(strings.TrimSpace(line), "school ")
						require.True(t, ok, line)
						p.ok(t, strings.Fields(args)...)
					}
				}
			}
			p.dailyCommands(t, service.whole)
			assert.Contains(
				t,
				p.fails(t, manage.CodeIncomplete, "init", "--harden"),
				"--harden could not revoke everything: run it as a superuser",
			)
		})
	}
}

// dailyCommands runs the daily commands of an owner. With whole it also runs rare ones.
func (p program) dailyCommands(t *testing.T, whole bool) {
	t.Helper()
	p.ok(t, "check")
	p.ok(t, "tenant", "create", "--subdomain", "a")
	owner, err := pgxpool.New(t.Context(), p.owner)
	require.NoError(t, err)
	defer owner.Close()
	_, err = owner.Exec(t.Context(), "insert into tenant_1.students (name) values ('Amara')")
	require.NoError(t, err)
	if whole {
		p.migrations = t.TempDir()
		require.NoError(t, os.WriteFile(
			filepath.Join(p.migrations, "00001_grade.sql"),
			[]byte(
				"-- +goose Up\nalter table students add grade int;\n-- +goose Down\nalter table students drop grade;\n",
			),
			0o600,
		))
		p.ok(t, "migrate")
	}
	p.ok(t, "backup", "a")
	_, err = owner.Exec(t.Context(), "delete from tenant_1.students")
	require.NoError(t, err)
	p.ok(t, "restore", "a", "--yes")
	slugs := []string{"a"}
	if whole {
		p.ok(t, "backup", "verify", "a")
		p.confirm(t, []string{"restore"}, "a")
		p.ok(t, "clone", "a", "--to", "copy")
		slugs = append(slugs, "copy")
	}
	p.ok(t, "check")
	for _, slug := range slugs {
		var name, schema string
		require.NoError(t, owner.QueryRow(t.Context(), "select schema_name from tenants where slug = $1", slug).Scan(&schema))
		require.NoError(
			t,
			owner.QueryRow(t.Context(), "select name from "+pgx.Identifier{schema, "students"}.Sanitize()).Scan(&name),
		)
		assert.Equal(t, "Amara", name)
	}
	p.ok(t, "drift")
	for _, slug := range slugs {
		p.confirm(t, []string{"tenant", "drop"}, slug)
	}
	p.ok(t, "check")
	var left int
	require.NoError(t, owner.QueryRow(t.Context(), `select (select count(*) from pg_namespace where nspname ~ '^tenant_')
		+ (select count(*) from pg_roles where rolname ~ ('^' || $1 || '_tenant_'))`, p.prefix).Scan(&left))
	assert.Zero(t, left)
}

// confirm drops what the command has requested: a tenant, or the schema that a restore retained.
func (p program) confirm(t *testing.T, command []string, slug string) {
	t.Helper()
	var request struct{ Token string }
	require.NoError(t, json.Unmarshal([]byte(p.ok(t, append(command, "request", slug, "--json")...)), &request))
	got := p.run(t, request.Token, append(command, "confirm", slug, "--token", "-", "--yes")...)
	require.Equal(t, manage.CodeOK, got.code, got.stderr)
}

func superuser(t *testing.T, pg *pgtest.DB, sql string) {
	t.Helper()
	_, err := pg.Pool.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
}

// execEach runs the statements one by one, as psql does, because CREATE DATABASE cannot run
// together with others.
func execEach(t *testing.T, url, script string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	for statement := range strings.SplitSeq(strings.TrimSpace(script), ";\n") {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// inDatabase returns the URL with another database.
func inDatabase(t *testing.T, raw, database string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	u.Path = "/" + database
	return u.String()
}

// If the administrator lacks a privilege, init does the rest, says what is missing and who can
// grant it, and exits with CodeIncomplete. With the privilege it exits with CodeOK.
func TestInitSaysWhichPrivilegeIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, attributes, before, stderr, done, after string
		open                                          bool // the owner can create the shared tables nevertheless
	}{
		{
			name: "the database is another role's", attributes: "createrole",
			before: "alter database DB owner to PROVIDER",
			stderr: `it lacks ownership of database "DB"; "PROVIDER" or a superuser can run it`,
			done:   `login noinherit createrole","outcome":"done"`,
			after:  "alter database DB owner to DBA",
		},
		{
			name: "the schema public is a superuser's, and open to all", attributes: "createrole",
			before: "alter database DB owner to DBA; alter schema public owner to current_user; " +
				"grant create on schema public to public",
			stderr: `cannot run: revoke CREATE on schema public from public: ` +
				`it lacks ownership of schema "public"; a superuser can run it`,
			done:  `"migrations":true`,
			after: "alter schema public owner to DBA",
			open:  true,
		},
		{
			name: "the login cannot make roles", attributes: "nocreaterole",
			before: "alter database DB owner to DBA; alter role PROVIDER createrole",
			stderr: `cannot run: create role "PREFIX_owner" login noinherit createrole: it lacks CREATEROLE; `,
			done:   `revoke TEMPORARY on database \"DB\" from public","outcome":"done"`,
			after:  "alter role DBA createrole",
		},
		{
			name: "a superuser has made a role without its attributes", attributes: "createrole",
			before: `alter database DB owner to DBA; create role PREFIX_owner superuser;
				comment on role PREFIX_owner is 'pgtenant role of database DB'`,
			stderr: `cannot run: alter role "PREFIX_owner" login: it lacks SUPERUSER; a superuser can run it`,
			done:   `revoke TEMPORARY on database \"DB\" from public","outcome":"done"`,
			after:  "drop owned by PREFIX_owner; drop role PREFIX_owner",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, pg := newProgram(t)
			provider, dba := pg.RolePrefix+"_provider", pg.RolePrefix+"_dba"
			sql := strings.NewReplacer(
				"DB ",
				pg.Name+" ",
				`DB\"`,
				pg.Name+`\"`,
				`DB"`,
				pg.Name+`"`,
				"DB'",
				pg.Name+"'",
				"DBA",
				dba,
				"PROVIDER",
				provider,
				"PREFIX",
				pg.RolePrefix,
			)
			superuser(t, pg, "create role "+provider+"; create role "+dba+" login password 'dba' "+c.attributes)
			if pgtest.Version(t) < 15 {
				superuser(t, pg, "alter schema public owner to "+dba)
			}
			superuser(t, pg, sql.Replace(c.before))
			p.admin = pg.URLAs(dba, "dba")
			got := p.run(t, "", "init", "--json")
			assert.Equal(t, manage.CodeIncomplete, got.code)
			assert.Contains(t, got.stderr, sql.Replace(c.stderr))
			assert.Contains(t, got.stdout, sql.Replace(c.done))
			assert.Contains(t, got.stdout, `","outcome":"not possible","reason":"role \"`+dba+`\" cannot run: `)
			migrated := strings.Contains(got.stdout, `"migrations":true`)
			assert.Equal(t, c.open, migrated)
			assert.NotEqual(t, migrated, strings.Contains(got.stderr, "the shared tables were not created"))
			superuser(t, pg, sql.Replace(c.after))
			p.ok(t, "init")
			p.ok(t, "tenant", "create", "--subdomain", "a")
		})
	}
}
