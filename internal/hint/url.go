package hint

import (
	"net/url"
	"regexp"
	"strings"
)

// keywordPassword matches a password in a keyword/value connection string.
var keywordPassword = regexp.MustCompile(`(?i)(^|\s)(ssl)?password\s*=\s*('(\\.|[^'\\])*'|(\\.|[^\s\\])*)`)

// WithoutPassword removes the passwords from a URL or a keyword/value connection string. Other
// values do not change. The result still works if the password comes from elsewhere, such as
// PGPASSWORD.
func WithoutPassword(value string) string {
	if !strings.Contains(value, "://") {
		return strings.TrimSpace(keywordPassword.ReplaceAllString(value, ""))
	}
	u, err := url.Parse(value)
	if err != nil {
		return "URL" // the password cannot be located in it
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	if query := u.Query(); query.Has("password") || query.Has("sslpassword") {
		query.Del("password")
		query.Del("sslpassword")
		u.RawQuery = query.Encode()
	}
	return u.String()
}
