package oteltrace

import "strings"

// operations are the words that may name a span. Any other word is replaced by unknown, as it could
// be a value of a tenant.
var operations = map[string]bool{
	"SELECT":     true,
	"INSERT":     true,
	"UPDATE":     true,
	"DELETE":     true,
	"MERGE":      true,
	"WITH":       true,
	"VALUES":     true,
	"TABLE":      true,
	"CALL":       true,
	"DO":         true,
	"COPY":       true,
	"LOCK":       true,
	"TRUNCATE":   true,
	"REFRESH":    true,
	"NOTIFY":     true,
	"BEGIN":      true,
	"START":      true,
	"COMMIT":     true,
	"ROLLBACK":   true,
	"SAVEPOINT":  true,
	"RELEASE":    true,
	"SET":        true,
	"RESET":      true,
	"SHOW":       true,
	"EXPLAIN":    true,
	"ANALYZE":    true,
	"VACUUM":     true,
	"LISTEN":     true,
	"UNLISTEN":   true,
	"CREATE":     true,
	"ALTER":      true,
	"DROP":       true,
	"GRANT":      true,
	"REVOKE":     true,
	"COMMENT":    true,
	"DECLARE":    true,
	"FETCH":      true,
	"MOVE":       true,
	"CLOSE":      true,
	"PREPARE":    true,
	"EXECUTE":    true,
	"DEALLOCATE": true,
	"DISCARD":    true,
}

// unknown is the operation of SQL that begins with any other word.
const unknown = "QUERY"

// operation returns the first word of a statement in upper case, or unknown. It skips comments,
// semicolons and opening parentheses.
func operation(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f(;")
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			sql = behindComment(sql)
		default:
			end := strings.IndexFunc(sql, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' })
			if end < 0 {
				end = len(sql)
			}
			if word := strings.ToUpper(sql[:min(end, 12)]); operations[word] {
				return word
			}
			return unknown
		}
	}
}

// behindComment returns the text after the comment that sql begins with. Comments nest.
func behindComment(sql string) string {
	depth := 0
	for i := 0; i+1 < len(sql); i++ {
		switch sql[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return sql[i+1:]
			}
		}
	}
	return ""
}
