package postgres

import (
	"crypto/tls"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// LibpqEnv returns the environment variables with which libpq connects as pgx does, without the
// password. If pgx verifies the server's certificate, libpq must verify it too, with its own root
// certificates.
func LibpqEnv(conn *pgx.ConnConfig) []string {
	type address struct {
		host string
		port uint16
	}
	addresses := []address{{conn.Host, conn.Port}}
	for _, f := range conn.Fallbacks { // sslmode=prefer has each address twice
		if a := (address{f.Host, f.Port}); !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	var hosts, ports []string
	for _, a := range addresses {
		hosts, ports = append(hosts, a.host), append(ports, strconv.Itoa(int(a.port)))
	}
	env := []string{
		"PGHOST=" + strings.Join(hosts, ","),
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

// sslMode returns the libpq sslmode that matches the TLS configuration of pgx.
func sslMode(conn *pgx.ConnConfig) string {
	plain, encrypted := conn.TLSConfig == nil, conn.TLSConfig != nil
	for _, f := range conn.Fallbacks {
		plain, encrypted = plain || f.TLSConfig == nil, encrypted || f.TLSConfig != nil
	}
	switch {
	case !encrypted:
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
