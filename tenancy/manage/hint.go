package manage

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// hint is a command for people to type, in quotation marks, with those flags of the program that
// this one was given, such as the database's.
func (c *call) hint(words ...string) string { return c.hintWithout("", words...) }

// hintForOther is a hint for another person, who is another actor.
func (c *call) hintForOther(words ...string) string { return c.hintWithout("actor", words...) }

func (c *call) hintWithout(left string, words ...string) string {
	words = append(strings.Fields(c.name), words...)
	c.cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "json" || f.Name == left {
			return
		}
		if value := withoutPassword(f.Value.String()); f.NoOptDefVal == value {
			words = append(words, "--"+f.Name)
		} else {
			words = append(words, "--"+f.Name, value)
		}
	})
	for i, word := range words {
		words[i] = shellQuote(word)
	}
	return "'" + strings.Join(words, " ") + "'"
}

// withoutPassword takes the password out of a URL, which stays one that works where the password
// comes from elsewhere, as from PGPASSWORD. Other values stay as they are.
func withoutPassword(value string) string {
	u, err := url.Parse(value)
	if err != nil || !strings.Contains(value, "://") {
		return value
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

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote quotes a word for a POSIX shell where it needs that. A hint stands in single quotes,
// so that it takes double ones.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(word) + `"`
}
