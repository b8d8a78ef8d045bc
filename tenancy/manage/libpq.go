package manage

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// tenantLogin is how a program of libpq, such as psql, gets into the scope of a tenant.
type tenantLogin struct {
	env      []string // without the password
	password string
	role     string // that statements run as
	locked   bool   // the session is the role's own, and can become no other
}

// login returns how to log in for a tenant: as the tenant's role where the program has such logins,
// else as the login that serves, with the tenant's role and search path from the start. It refuses
// a login that could read more by itself.
func (c *call) login(ctx context.Context, schema string) (*tenantLogin, error) {
	if err := schemactx.ValidateName(schema); err != nil {
		return nil, err
	}
	path, err := schemactx.SearchPath(schema, c.ExtraSearchPath)
	if err != nil {
		return nil, err
	}
	conn := c.Runtime.Config().ConnConfig
	if before := c.Runtime.Config().BeforeConnect; before != nil { // it may be the one who knows the password
		if err := before(ctx, conn); err != nil {
			return nil, err
		}
	}
	l := &tenantLogin{role: c.Roles.Tenant(schema), password: conn.Password}
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
	l.env = append(libpqEnv(conn), "PGOPTIONS="+startupOptions(options))
	return l, nil
}

// checkLogin refuses to give out a login that is more than the one that serves, and a schema that
// is not there.
func (c *call) checkLogin(ctx context.Context, schema string) error {
	var super, exists, member bool
	err := c.Runtime.QueryRow(ctx, `select
		(select rolsuper or rolbypassrls or rolcreaterole from pg_roles where rolname = session_user)
			or coalesce((select pg_has_role(session_user, oid, 'member') from pg_roles where rolname = $1), false),
		exists (select from pg_namespace where nspname = $2),
		coalesce((select pg_has_role(session_user, oid, 'member') from pg_roles where rolname = $3), false)`,
		c.Roles.Owner(), schema, c.Roles.Tenant(schema)).Scan(&super, &exists, &member)
	switch {
	case err != nil:
		return err
	case super:
		return fmt.Errorf(
			"the login %q is the owner's, or a superuser: nobody gets a shell with it",
			c.Runtime.Config().ConnConfig.User,
		)
	case !exists:
		return fmt.Errorf("schema %q: %w", schema, schemactx.ErrSchemaMissing)
	case !member:
		return fmt.Errorf("schema %q: %w", schema, schemactx.ErrNotProvisioned)
	}
	return nil
}

// libpqEnv has libpq connect as pgx does.
func libpqEnv(conn *pgx.ConnConfig) []string {
	hosts, ports := []string{conn.Host}, []string{strconv.Itoa(int(conn.Port))}
	for _, f := range conn.Fallbacks {
		if port := strconv.Itoa(int(f.Port)); !slices.Contains(hosts, f.Host) || !slices.Contains(ports, port) {
			hosts, ports = append(hosts, f.Host), append(ports, port)
		}
	}
	env := []string{
		"PGHOST=" + strings.Join(
			hosts,
			",",
		),
		"PGPORT=" + strings.Join(ports, ","),
		"PGUSER=" + conn.User,
		"PGDATABASE=" + conn.Database,
		"PGSSLMODE=" + sslMode(conn),
	}
	if seconds := int(conn.ConnectTimeout.Seconds()); seconds > 0 {
		env = append(env, "PGCONNECT_TIMEOUT="+strconv.Itoa(seconds))
	}
	return env
}

// sslMode is libpq's word for what pgx was told.
func sslMode(conn *pgx.ConnConfig) string {
	plain := conn.TLSConfig == nil
	for _, f := range conn.Fallbacks {
		plain = plain || f.TLSConfig == nil
	}
	switch {
	case conn.TLSConfig == nil && len(conn.Fallbacks) == 0:
		return "disable"
	case plain:
		return "prefer"
	case !conn.TLSConfig.InsecureSkipVerify:
		return "verify-full"
	case checksPeer(conn.TLSConfig):
		return "verify-ca"
	}
	return "require"
}

func checksPeer(c *tls.Config) bool {
	return c.VerifyPeerCertificate != nil || c.VerifyConnection != nil
}

// startupOptions joins options as the server splits them: a space ends one unless a backslash is in
// front.
func startupOptions(options []string) string {
	escape := strings.NewReplacer(`\`, `\\`, " ", `\ `)
	escaped := make([]string, len(options))
	for i, o := range options {
		escaped[i] = escape.Replace(o)
	}
	return strings.Join(escaped, " ")
}

// plainEnv is what programs get of our environment: what makes them find files and show text, and
// none of the settings of a service, which often have its secrets.
func plainEnv() (env []string) {
	for _, name := range []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PAGER", "LESS",
		"EDITOR", "VISUAL", "SYSTEMROOT", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY",
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

// passfile writes a password where libpq finds it, and nobody else: not into arguments, which
// everybody on the machine can read, nor into the environment, which programs pass on to all that
// they start.
func passfile(user, password string) (env string, remove func() error, err error) {
	file, err := os.CreateTemp("", ".pgtenant-pass-*") // mode 0600
	if err != nil {
		return "", nil, err
	}
	remove = func() error { return os.Remove(file.Name()) }
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	_, err = fmt.Fprintf(file, "*:*:*:%s:%s\n", escape.Replace(user), escape.Replace(password))
	if err := cmp.Or(err, file.Close()); err != nil {
		_ = remove() // err says more
		return "", nil, err
	}
	return "PGPASSFILE=" + file.Name(), remove, nil
}

// user is the login's name.
func (l *tenantLogin) user() string {
	for _, e := range l.env {
		if name, ok := strings.CutPrefix(e, "PGUSER="); ok {
			return name
		}
	}
	return ""
}
