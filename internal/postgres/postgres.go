package postgres

import (
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Version returns the major version of the server, such as 18. It returns 0 if the server has not
// reported a number.
func Version(conn *pgconn.PgConn) int {
	s := conn.ParameterStatus("server_version")
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		s = s[:i]
	}
	v, _ := strconv.Atoi(s)
	return v
}

// QuoteLiteral quotes text as a string literal, for the few commands that take no parameters. The
// result is correct under standard_conforming_strings=on, which pgx requires as well.
func QuoteLiteral(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// Milliseconds returns d as a setting of PostgreSQL without a unit. It rounds up, because 0 would
// be no timeout.
func Milliseconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}
