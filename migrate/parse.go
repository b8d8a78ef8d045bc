package migrate

import (
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads one file line by line, as goose does: a file must mean the same to its CLI.
type parser struct {
	m       *migration
	section *[]statement // up or down; nil before the first annotation
	block   bool         // between StatementBegin and StatementEnd
	text    strings.Builder
	begin   int // line of the first text that is not blank in text; 0 when there is none
	line    int
}

// parse reads a migration. The version comes from the file's name.
func parse(source, file, content string) (*migration, error) {
	p := &parser{m: &migration{source: source, file: file, kind: KindSQL}}
	if err := p.parseName(); err != nil {
		return nil, err
	}
	if !utf8.ValidString(content) || strings.ContainsRune(content, 0) {
		return nil, p.refuse("is not UTF-8 text")
	}
	for line := range strings.Lines(content) {
		p.line++
		if err := p.parseLine(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")); err != nil {
			return nil, err
		}
	}
	switch {
	case p.block:
		return nil, p.refuse("StatementBegin without StatementEnd")
	case p.begin != 0:
		p.line = p.begin
		return nil, p.refuse("statement does not end: its last line needs a semicolon")
	case p.section == nil:
		p.line = 0
		return nil, p.refuse("has no Up section")
	}
	p.m.noTxDown = p.m.noTx
	p.m.checksum = p.m.sum()
	return p.m, p.checkStatements()
}

func (p *parser) refuse(reason string) error {
	return &ParseError{Source: p.m.source, File: p.m.file, Line: p.line, Reason: reason}
}

// parseName reads <version>_<name>.sql.
func (p *parser) parseName() error {
	digits, name, found := strings.Cut(strings.TrimSuffix(path.Base(p.m.file), ".sql"), "_")
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || version < 1 || !found || name == "" {
		return p.refuse("is not named <version>_<name>.sql with a version from 1")
	}
	p.m.version, p.m.name = version, name
	return nil
}

func (p *parser) parseLine(line string) error {
	trimmed := strings.TrimSpace(line)
	comment := strings.HasPrefix(trimmed, "--")
	if comment && strings.Contains(line, "+goose") {
		return p.annotate(line)
	}
	switch {
	case p.text.Len() == 0 && (comment || line == ""):
		return nil // between statements
	case p.section == nil && trimmed == "":
		return nil
	case p.section == nil:
		return p.refuse("statement before the first annotation")
	}
	if p.begin == 0 && trimmed != "" {
		p.begin = p.line
	}
	p.text.WriteString(line)
	p.text.WriteByte('\n')
	if !p.block && endsStatement(line) {
		p.finish()
	}
	return nil
}

// finish takes the text as a statement.
func (p *parser) finish() {
	*p.section = append(*p.section, statement{sql: strings.TrimSpace(p.text.String()), line: p.begin})
	p.text.Reset()
	p.begin = 0
}

// annotate acts on a line that says +goose in a comment. goose refuses one that it does not know.
func (p *parser) annotate(line string) error {
	annotation := strings.TrimSpace(strings.Replace(strings.ReplaceAll(line, "--", ""), "+goose", "", 1))
	name := strings.ToUpper(annotation)
	switch {
	case strings.HasPrefix(line, " "), strings.HasPrefix(line, "\t"):
		return p.refuse("annotation is indented")
	case p.begin != 0 && name != "STATEMENTEND":
		return p.refuse("annotation inside a statement")
	}
	switch name {
	case "UP":
		if p.section != nil {
			return p.refuse("second Up section, or Up after Down")
		}
		p.section = &p.m.up
	case "DOWN":
		if p.section == nil || p.section == &p.m.down || p.block {
			return p.refuse("Down does not follow a finished Up section")
		}
		p.section, p.m.hasDown = &p.m.down, true
		p.text.Reset()
	case "STATEMENTBEGIN":
		if p.section == nil || p.block {
			return p.refuse("StatementBegin does not stand between statements")
		}
		p.block = true
	case "STATEMENTEND":
		if !p.block || p.begin == 0 {
			return p.refuse("StatementEnd without StatementBegin and a statement")
		}
		p.block = false
		p.finish()
	case "NO TRANSACTION":
		p.m.noTx = true
	case "ENVSUB ON", "ENVSUB OFF":
		return p.refuse("ENVSUB is not supported: a migration is the same everywhere")
	default:
		return p.refuse("unknown annotation +goose " + annotation)
	}
	return nil
}

// checkStatements refuses what the server would refuse or what would leave the transaction that the
// migration runs in, or the search path that it is given. What runs without one has its
// connection to itself.
func (p *parser) checkStatements() error {
	for _, section := range [][]statement{p.m.up, p.m.down} {
		for i, s := range section {
			p.line = s.line
			text := readSQL(s.sql)
			if err := p.checkStatement(text); err != nil {
				return err
			}
			section[i].strays, section[i].reset = text.strays(s.sql)
		}
	}
	return nil
}

func (p *parser) checkStatement(t sqlText) error {
	words := append(t.words, "", "")
	switch {
	case t.open != "":
		return p.refuse("statement ends within " + t.open + ": put it between StatementBegin and StatementEnd")
	case t.more:
		return p.refuse("two statements in one: each ends a line with its semicolon, or stands between StatementBegin and StatementEnd")
	case words[0] == "COPY" && t.stdio:
		return p.refuse("COPY from or to the client is not possible in a migration")
	case p.m.noTx:
		return nil
	}
	switch words[0] {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT":
		return p.refuse(words[0] + " in a migration that runs in a transaction: leave it out, or use NO TRANSACTION")
	case "SET", "RESET", "DISCARD":
		if words[1] != "LOCAL" && words[1] != "CONSTRAINTS" {
			return p.refuse(words[0] + " would outlive the migration: use SET LOCAL")
		}
	}
	return nil
}

// endsStatement reports whether the last word of a line, a comment set aside, ends in a
// semicolon.
func endsStatement(line string) bool {
	last := ""
	for word := range strings.FieldsSeq(line) {
		if strings.HasPrefix(word, "--") {
			break
		}
		last = word
	}
	return strings.HasSuffix(last, ";")
}
