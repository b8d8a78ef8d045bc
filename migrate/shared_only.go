package migrate

import (
	"slices"
	"strings"
)

// sharedOnly returns why a statement must not be in a migration of tenants, and what to do instead,
// or the empty string if it may. A database has only one object of that name. So the statement
// would succeed for the first tenant and fail for the second, or all tenants would share the
// object.
func (t sqlText) sharedOnly() string {
	verb := t.words(1)[0]
	switch {
	case t.changesExtension():
		return verb + " EXTENSION in a migration of tenants: a database has an extension once." +
			" Name it in the extensions of the set-up (schemactx/admin.Setup), or create it in the shared set"
	case verb == "DO" && t.executesExtension():
		return "DO that creates or changes an extension in a migration of tenants: a database has an" +
			" extension once. Name it in the extensions of the set-up (schemactx/admin.Setup), or create it in the shared set"
	case verb != "CREATE":
		return ""
	}
	h := t.head()
	switch {
	case h.schema != "":
		return "CREATE " + h.kind + " in schema " + h.schema + " in a migration of tenants: all tenants would share" +
			" it, or the second one fail. Leave the schema out: unqualified names are the tenant's." +
			" What all share belongs in the shared set"
	case oncePerDatabase[h.kind] && !h.repeats:
		return "CREATE " + h.kind + " in a migration of tenants: there is only one of the name, so that the second tenant" +
			" would fail. Move it to the shared set"
	}
	return ""
}

// refuseShared returns an error if only the shared set may have the file.
func (m *migration) refuseShared() error {
	for _, s := range slices.Concat(m.up, m.down) {
		if s.shared != "" {
			return &ParseError{Source: m.source, File: m.file, Line: s.line, Reason: s.shared}
		}
	}
	return nil
}

// oncePerDatabase are the kinds of objects that live outside of schemas and whose names a migration
// can use only once in a database.
var oncePerDatabase = map[string]bool{
	"ACCESS METHOD": true,
	"DATABASE":      true,
	"EVENT TRIGGER": true,
	"FOREIGN DATA":  true,
	"GROUP":         true,
	"LANGUAGE":      true,
	"PUBLICATION":   true,
	"ROLE":          true,
	"SCHEMA":        true,
	"SERVER":        true,
	"SUBSCRIPTION":  true,
	"TABLESPACE":    true,
	"USER":          true,
}

// createHead is what the first words of a CREATE say.
type createHead struct {
	kind    string // in upper case: TABLE, EVENT TRIGGER
	repeats bool   // OR REPLACE or IF NOT EXISTS: each tenant can run it
	schema  string // the schema in the object's name; empty: none, or pg_temp
}

// modifiers are the words between CREATE and the kind of object that do not change the result.
var modifiers = []string{
	"OR", "GLOBAL", "LOCAL", "TEMP", "TEMPORARY", "UNLOGGED", "RECURSIVE", "MATERIALIZED", "DEFAULT",
	"TRUSTED", "PROCEDURAL", "UNIQUE", "CONSTRAINT",
}

func (t sqlText) head() createHead {
	var h createHead
	i := 1
	for ; slices.Contains(modifiers, strings.ToUpper(t.token(i).text)) || t.token(i).is("REPLACE"); i++ {
		h.repeats = h.repeats || t.token(i).is("REPLACE")
	}
	h.kind = strings.ToUpper(t.token(i).text)
	i++
	switch h.kind {
	case "ACCESS", "EVENT", "USER", "FOREIGN":
		if t.token(i).kind == word && (h.kind != "USER" || t.token(i).is("MAPPING")) {
			h.kind += " " + strings.ToUpper(t.token(i).text)
			i++
		}
	case "TEXT": // SEARCH CONFIGURATION and others
		h.kind = "TEXT SEARCH"
		i += 2
	case "INDEX", "TRIGGER", "POLICY", "RULE": // they are in the schema of their table
		for ; i < len(t.tokens) && !t.token(i-1).is("ON"); i++ {
		}
		for t.token(i).is("ONLY") || t.token(i).is("TABLE") {
			i++
		}
	}
	if t.token(i).is("IF") {
		h.repeats = true
		i += 3
	}
	if n := t.token(i); t.token(i+1).is(".") && (n.kind == word || n.kind == name) {
		if schema := n.identifier(); schema != "pg_temp" {
			h.schema = schema
		}
	}
	return h
}

// identifier returns the name that a word or a quoted name stands for.
func (t token) identifier() string {
	if t.kind == name && t.text[0] == '"' {
		return strings.ReplaceAll(t.text[1:len(t.text)-1], `""`, `"`)
	}
	return strings.ToLower(t.text)
}

// changesExtension reports whether a statement creates, alters or drops an extension.
func (t sqlText) changesExtension() bool {
	words := t.words(2)
	return extensionVerb(words[0]) && words[1] == "EXTENSION"
}

func extensionVerb(word string) bool {
	return strings.EqualFold(word, "CREATE") || strings.EqualFold(word, "ALTER") || strings.EqualFold(word, "DROP")
}

// executesExtension reports whether a DO block creates, alters or drops an extension, as far as its
// text shows: in a statement, or in a string that it executes.
func (t sqlText) executesExtension() bool {
	i := slices.IndexFunc(t.tokens, func(tok token) bool { return tok.kind == text })
	if i < 0 {
		return false
	}
	for _, s := range splitSQL(t.tokens[i].value()) {
		var executed strings.Builder
		executes := false
		for i, tok := range s.tokens {
			executes = executes || tok.is("EXECUTE")
			switch {
			case extensionVerb(tok.text) && s.token(i+1).is("EXTENSION"):
				return true
			case executes && tok.kind == text && tok.open == "":
				executed.WriteString(tok.value())
			}
		}
		if slices.ContainsFunc(splitSQL(executed.String()), sqlText.changesExtension) {
			return true
		}
	}
	return false
}
