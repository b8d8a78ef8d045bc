package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/postgres"
)

func TestLibpqConnectsToTheSameAddressesInTheSameMode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"host=a port=1 sslmode=disable":           "PGHOST=a PGPORT=1 PGSSLMODE=disable",
		"host=a port=1 sslmode=prefer":            "PGHOST=a PGPORT=1 PGSSLMODE=prefer",
		"host=a port=1 sslmode=allow":             "PGHOST=a PGPORT=1 PGSSLMODE=prefer",
		"host=a,b port=1,2 sslmode=disable":       "PGHOST=a,b PGPORT=1,2 PGSSLMODE=disable",
		"host=a,b,a port=1,2,2 sslmode=disable":   "PGHOST=a,b,a PGPORT=1,2,2 PGSSLMODE=disable",
		"host=a,b,a port=1,2,2 sslmode=prefer":    "PGHOST=a,b,a PGPORT=1,2,2 PGSSLMODE=prefer",
		"host=a,b port=1,2 sslmode=verify-full":   "PGHOST=a,b PGPORT=1,2 PGSSLMODE=verify-full",
		"host=a,b,a port=1,1,1 sslmode=verify-ca": "PGHOST=a,b PGPORT=1,1 PGSSLMODE=verify-ca",
	} {
		conn, err := pgx.ParseConfig(text + " user=u dbname=d")
		require.NoError(t, err)
		var got []string
		for _, e := range postgres.LibpqEnv(conn) {
			if strings.HasPrefix(e, "PGHOST=") || strings.HasPrefix(e, "PGPORT=") || strings.HasPrefix(e, "PGSSLMODE=") {
				got = append(got, e)
			}
		}
		assert.Equal(t, want, strings.Join(got, " "), text)
	}
}
