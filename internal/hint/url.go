package hint

import (
	"net/url"
	"regexp"
	"strings"
)

// keywordPassword is the password in a connection string of keywords and values.
var keywordPassword = regexp.MustCompile(`(?i)(^|\s)(ssl)?password\s*=\s*('(\\.|[^'\\])*'|(\\.|[^\s\\])*)`)

// WithoutPassword takes the passwords out of a URL or a connection string. It still works where the
// password comes from elsewhere, such as PGPASSWORD. Other values stay as they are.
func WithoutPassword(value string) string {
	if !strings.Contains(value, "://") {
		return strings.TrimSpace(keywordPassword.ReplaceAllString(value, ""))
	}
	u, err := url.Parse(value)
	if err != nil {
		return "URL" // where in it the password is cannot be told
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
