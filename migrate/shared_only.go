package migrate

import (
	"slices"
	"strings"
)

// sharedOnly returns why a statement is no migration of a tenant, and what to do instead; empty: it
// may be one. A database has one of what it names, so that the first tenant would get it and the
// second fail, or all would share it.
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

// refuseShared refuses a file that only the shared set may have.
func (m *migration) refuseShared() error {
	for _, s := range slices.Concat(m.up, m.down) {
		if s.shared != "" {
			return &ParseError{Source: m.source, File: m.file, Line: s.line, Reason: s.shared}
		}
	}
	return nil
}

// oncePerDatabase are the kinds of objects that live outside of schemas and that a text can create
// under one name only.
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
	repeats bool   // OR REPLACE or IF NOT EXISTS: it can be run for each tenant
	schema  string // of the name, where it has one that is not the temporary one's
}

// modifiers are the words between CREATE and the kind that do not matter here.
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
	case "INDEX", "TRIGGER", "POLICY", "RULE": // they live where their table does
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

// changesExtension reports whether the words of a statement create, change or drop an extension.
func (t sqlText) changesExtension() bool {
	words := t.words(2)
	return extensionVerb(words[0]) && words[1] == "EXTENSION"
}

func extensionVerb(word string) bool {
	return strings.EqualFold(word, "CREATE") || strings.EqualFold(word, "ALTER") || strings.EqualFold(word, "DROP")
}

// executesExtension reports whether a DO block does so, as far as its text tells: as a statement of
// its own, or as a text that it executes.
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
