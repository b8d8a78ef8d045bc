package backup

import (
	"context"
	"crypto/tls"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// dumpEnv returns an environment with which libpq connects as the pool does, and the password in
// it. The password is in the environment because all users of the machine can read a process's
// arguments.
func (s *Service) dumpEnv(ctx context.Context) (env []string, password string, err error) {
	cfg := s.cfg.Pool.Config()
	conn := cfg.ConnConfig
	if cfg.BeforeConnect != nil { // it may set the password
		if err := cfg.BeforeConnect(ctx, conn); err != nil {
			return nil, "", err
		}
	}
	hosts, ports := []string{conn.Host}, []string{strconv.Itoa(int(conn.Port))}
	for _, f := range conn.Fallbacks {
		if port := strconv.Itoa(int(f.Port)); !slices.Contains(hosts, f.Host) || !slices.Contains(ports, port) {
			hosts, ports = append(hosts, f.Host), append(ports, port)
		}
	}
	env = append(
		inheritedEnv(),
		"PGHOST="+strings.Join(hosts, ","), "PGPORT="+strings.Join(ports, ","),
		"PGUSER="+conn.User, "PGDATABASE="+conn.Database,
		"PGSSLMODE="+sslMode(conn), "PGAPPNAME=pgtenant dump",
		// With merge joins, pg_dump's query for dependencies of materialized views takes minutes in a
		// database with many schemas.
		"PGOPTIONS=-c enable_mergejoin=off",
	)
	if seconds := int(conn.ConnectTimeout.Seconds()); seconds > 0 {
		env = append(env, "PGCONNECT_TIMEOUT="+strconv.Itoa(seconds))
	}
	if conn.Password != "" {
		env = append(env, "PGPASSWORD="+conn.Password)
	}
	env = append(env, s.cfg.Dump.Env...) // the last of several equal names takes effect
	for _, e := range env {
		if value, is := strings.CutPrefix(e, "PGPASSWORD="); is {
			password = value
		}
	}
	return env, password, nil
}

// sslMode returns libpq's sslmode for a configuration of pgx. If pgx verifies the server's
// certificate, libpq must verify it too, with its own root certificates.
func sslMode(conn *pgx.ConnConfig) string {
	clear := conn.TLSConfig == nil
	for _, f := range conn.Fallbacks {
		clear = clear || f.TLSConfig == nil
	}
	switch {
	case conn.TLSConfig == nil && len(conn.Fallbacks) == 0:
		return "disable"
	case clear:
		return "prefer"
	case !conn.TLSConfig.InsecureSkipVerify:
		return "verify-full"
	case verifiesPeer(conn.TLSConfig):
		return "verify-ca"
	}
	return "require"
}

func verifiesPeer(c *tls.Config) bool {
	return c.VerifyPeerCertificate != nil || c.VerifyConnection != nil
}
