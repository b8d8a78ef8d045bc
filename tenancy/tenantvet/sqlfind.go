package tenantvet

import (
	"fmt"
	"regexp"
	"strings"
)

// findings returns the problems of a SQL text, each as the end of a sentence. schemas matches the
// names of tenants' schemas.
func findings(sql string, schemas *regexp.Regexp) (found []string) {
	tokens := tokensOf(sql)
	start := true // the next token may begin a statement
	for i, t := range tokens {
		rest := tokens[i:]
		switch {
		case start && (t.is("set") || t.is("reset") || t.is("discard")):
			if what := setting(rest); what != "" {
				found = append(found, what)
			}
		case t.is("set_config"):
			if what := configured(rest); what != "" {
				found = append(found, what)
			}
		case t.kind == tokenBody:
			found = append(found, findings(t.text, schemas)...) // the body may be code
		case qualifies(rest, schemas):
			found = append(found, fmt.Sprintf("names the schema %s of a tenant", t.text))
		case t.kind == tokenString:
			if schema, object, ok := strings.Cut(
				t.text,
				".",
			); ok && object != "" &&
				schemas.MatchString(strings.Trim(schema, `"`)) {
				found = append(found, fmt.Sprintf("names the schema %s of a tenant", strings.Trim(schema, `"`)))
			}
		}
		start = starts(t)
	}
	return found
}

// starts reports whether a statement may begin after t, in SQL or in the body of a PL/pgSQL block.
func starts(t sqlToken) bool {
	return t.kind == tokenOther && t.text == ";" || t.is("begin") || t.is("then") || t.is("else") || t.is("loop")
}

// setting returns what a SET, RESET or DISCARD at the beginning of tokens changes, or "" if it is
// harmless.
func setting(tokens []sqlToken) string {
	verb, words := tokens[0].text, tokens[1:]
	if verb == "set" && len(words) > 1 &&
		(words[0].is("local") || words[0].is("session") && !words[1].is("authorization")) {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return ""
	case verb == "discard" && words[0].is("all"), verb == "reset" && words[0].is("all"):
		return fmt.Sprintf("resets the session (%s ALL)", strings.ToUpper(verb))
	case verb == "discard":
		return ""
	case words[0].is("search_path"), words[0].is("role"), words[0].kind == tokenName && isSetting(words[0].text):
		return fmt.Sprintf("changes the scope (%s %s)", strings.ToUpper(verb), words[0].text)
	case verb == "set" && words[0].is("schema"):
		return "changes the scope (SET SCHEMA)"
	case words[0].is("session") && len(words) > 1 && words[1].is("authorization"):
		return fmt.Sprintf("changes the scope (%s SESSION AUTHORIZATION)", strings.ToUpper(verb))
	}
	return ""
}

func isSetting(name string) bool {
	return name == "search_path" || name == "role" || name == "session_authorization"
}

// configured returns which setting a call of set_config at the beginning of tokens changes, or ""
// if it is harmless.
func configured(tokens []sqlToken) string {
	if len(tokens) < 3 || tokens[1].text != "(" || tokens[2].kind != tokenString ||
		!isSetting(strings.ToLower(tokens[2].text)) {
		return ""
	}
	return fmt.Sprintf("changes the scope (set_config of %s)", strings.ToLower(tokens[2].text))
}

// qualifies reports whether tokens begin with a tenant's schema and a dot.
func qualifies(tokens []sqlToken, schemas *regexp.Regexp) bool {
	return len(tokens) > 2 && (tokens[0].kind == tokenWord || tokens[0].kind == tokenName) &&
		schemas.MatchString(tokens[0].text) &&
		tokens[1].text == "." &&
		tokens[1].kind == tokenOther
}
