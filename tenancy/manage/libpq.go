package manage

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/oryne/pgtenant/internal/postgres"
	"github.com/oryne/pgtenant/schemactx"
)

// tenantLogin is how a libpq program, such as psql, connects in the scope of a tenant.
type tenantLogin struct {
	env      []string // environment variables, without the password
	password string
	role     string // the role that statements run as
	locked   bool   // the session is logged in as the tenant's role and can take no other
}

// login returns how to connect for a tenant. If the program has such logins, it is the login of the
// tenant's role. Otherwise it is the runtime login, which sets the tenant's role and search path at
// the start. login refuses a runtime login that has more rights than it needs.
func (c *call) login(ctx context.Context, schema string) (*tenantLogin, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return nil, err
	}
	path, err := schemactx.SearchPath(schema, c.ExtraSearchPath)
	if err != nil {
		return nil, err
	}
	conn := c.Runtime.Config().ConnConfig
	if before := c.Runtime.Config().BeforeConnect; before != nil { // this function may set the password
		if err := before(ctx, conn); err != nil {
			return nil, err
		}
	}
	l := &tenantLogin{role: c.roles().Tenant(schema), password: conn.Password}
	options := []string{"-c", "search_path=" + path}
	if c.Logins != nil {
		if l.password, err = c.Logins.Password(ctx, schema); err != nil {
			return nil, fmt.Errorf("password of schema %q: %w", schema, err)
		}
		conn.User, l.locked = l.role, true
	} else {
		if err := c.checkLogin(ctx, schema); err != nil {
			return nil, err
		}
		options = append(options, "-c", "role="+l.role)
	}
	l.env = append(postgres.LibpqEnv(conn), "PGOPTIONS="+startupOptions(options))
	return l, nil
}

// checkLogin returns an error for a login that has the rights of the owner role or of a superuser,
// and for a schema that does not exist.
func (c *call) checkLogin(ctx context.Context, schema string) error {
	var super, exists, member bool
	err := c.Runtime.QueryRow(ctx, `select
		(select rolsuper or rolbypassrls or rolcreaterole from pg_roles where rolname = session_user)
			or coalesce((select pg_has_role(session_user, oid, 'member') from pg_roles where rolname = $1), false),
		exists (select from pg_namespace where nspname = $2),
		coalesce((select pg_has_role(session_user, oid, 'member') from pg_roles where rolname = $3), false)`,
		c.roles().Owner(), schema, c.roles().Tenant(schema)).Scan(&super, &exists, &member)
	switch {
	case err != nil:
		return err
	case super:
		return fmt.Errorf(
			"login %q has the privileges of the owner or of a superuser: it cannot be used for a tenant's session",
			c.Runtime.Config().ConnConfig.User,
		)
	case !exists:
		return fmt.Errorf("schema %q: %w", schema, schemactx.ErrSchemaMissing)
	case !member:
		return fmt.Errorf("schema %q: %w", schema, schemactx.ErrNotProvisioned)
	}
	return nil
}

// startupOptions joins options in the server's syntax: a space separates them unless a backslash
// precedes it.
func startupOptions(options []string) string {
	escape := strings.NewReplacer(`\`, `\\`, " ", `\ `)
	escaped := make([]string, len(options))
	for i, o := range options {
		escaped[i] = escape.Replace(o)
	}
	return strings.Join(escaped, " ")
}

// plainEnv returns the part of the process's environment that other programs get. They need it to
// find files and to show text. It omits the settings of the service, which often hold secrets.
func plainEnv() (env []string) {
	for _, name := range []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ", "TMPDIR",
		"PAGER", "LESS", "EDITOR", "VISUAL", "SYSTEMROOT", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "LC_") {
			env = append(env, e)
		}
	}
	return env
}

// passfile writes a password to a file that only libpq of the same user can read. All users of the
// machine can read arguments, and programs pass their environment on to every program that they
// start. It returns the environment variable that names the file, and a function that removes the
// file.
func passfile(user, password string) (env string, remove func() error, err error) {
	file, err := os.CreateTemp("", ".pgtenant-pass-*") // mode 0600
	if err != nil {
		return "", nil, err
	}
	remove = func() error { return os.Remove(file.Name()) }
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	_, err = fmt.Fprintf(file, "*:*:*:%s:%s\n", escape.Replace(user), escape.Replace(password))
	if err := cmp.Or(err, file.Close()); err != nil {
		_ = remove() // err is more useful
		return "", nil, err
	}
	return "PGPASSFILE=" + file.Name(), remove, nil
}

// user returns the login's name.
func (l *tenantLogin) user() string {
	for _, e := range l.env {
		if name, ok := strings.CutPrefix(e, "PGUSER="); ok {
			return name
		}
	}
	return ""
}
