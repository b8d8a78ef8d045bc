package backup

import (
	"context"
	"crypto/tls"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// dumpEnv is the environment that has libpq connect as the pool does, and the password that is in it: it is there and
// not among the arguments, which everybody on the machine can read.
func (s *Service) dumpEnv(ctx context.Context) (env []string, password string, err error) {
	cfg := s.cfg.Pool.Config()
	conn := cfg.ConnConfig
	if cfg.BeforeConnect != nil { // it may be the one who knows the password
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
		"PGHOST="+strings.Join(hosts, ","), "PGPORT="+strings.Join(ports, ","), "PGUSER="+conn.User, "PGDATABASE="+conn.Database,
		"PGSSLMODE="+sslMode(conn), "PGAPPNAME=pgtenant dump",
		// Its query for what depends on materialised views joins the whole catalogue, in an order that takes minutes.
		"PGOPTIONS=-c enable_mergejoin=off",
	)
	if seconds := int(conn.ConnectTimeout.Seconds()); seconds > 0 {
		env = append(env, "PGCONNECT_TIMEOUT="+strconv.Itoa(seconds))
	}
	if conn.Password != "" {
		env = append(env, "PGPASSWORD="+conn.Password)
	}
	env = append(env, s.cfg.Dump.Env...) // of two with a name the last counts
	for _, e := range env {
		if value, is := strings.CutPrefix(e, "PGPASSWORD="); is {
			password = value
		}
	}
	return env, password, nil
}

// sslMode is libpq's word for what pgx was told. What pgx checks libpq has to check, too, with the root certificates that it finds.
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
