package migrate

import (
	"path"
	"strconv"
	"strings"
)

// statement is one SQL statement of a migration.
type statement struct {
	sql  string
	line int // 1-based, where it begins
}

// migration is one file.
type migration struct {
	source  string
	file    string
	version int64
	noTx    bool
	up      []statement
	down    []statement
}

// parser reads one file line by line, as goose does: a file must mean the same to its CLI.
type parser struct {
	m       *migration
	section *[]statement // up or down; nil before the first annotation
	block   bool         // between StatementBegin and StatementEnd
	text    strings.Builder
	begin   int // line of the statement in text; 0 when there is none
	line    int
}

// parse reads a migration. The version comes from the file's name.
func parse(source, file, content string) (*migration, error) {
	p := &parser{m: &migration{source: source, file: file}}
	if err := p.parseName(); err != nil {
		return nil, err
	}
	sawUp := false
	for line := range strings.Lines(content) {
		p.line++
		if err := p.parseLine(strings.TrimRight(line, "\r\n")); err != nil {
			return nil, err
		}
		sawUp = sawUp || p.section == &p.m.up
	}
	switch {
	case p.block:
		return nil, p.refuse("StatementBegin without StatementEnd")
	case p.begin != 0:
		p.line = p.begin
		return nil, p.refuse("statement does not end: its last line needs a semicolon")
	case !sawUp:
		p.line = 0
		return nil, p.refuse("has no Up section")
	}
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
	p.m.version = version
	return nil
}

func (p *parser) parseLine(line string) error {
	if annotation, ok := cutAnnotation(line); ok {
		return p.annotate(annotation)
	}
	trimmed := strings.TrimSpace(line)
	if p.begin == 0 && !p.block && (trimmed == "" || strings.HasPrefix(trimmed, "--")) {
		return nil // between statements
	}
	if p.section == nil {
		return p.refuse("statement before the first annotation")
	}
	if p.begin == 0 {
		if trimmed == "" {
			return nil
		}
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

func (p *parser) annotate(annotation string) error {
	name := strings.ToUpper(annotation)
	if p.begin != 0 && name != "STATEMENTEND" {
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
		p.section = &p.m.down
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

// checkStatements refuses what would leave the transaction that the migration runs in, or
// the search path that it is given. What runs without one has its connection to itself.
func (p *parser) checkStatements() error {
	if p.m.noTx {
		return nil
	}
	for _, section := range [][]statement{p.m.up, p.m.down} {
		for _, s := range section {
			p.line = s.line
			switch words := keywords(s.sql); words[0] {
			case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT":
				return p.refuse(words[0] + " in a migration that runs in a transaction: leave it out, or use NO TRANSACTION")
			case "SET", "RESET", "DISCARD":
				if words[1] != "LOCAL" && words[1] != "CONSTRAINTS" {
					return p.refuse(words[0] + " would outlive the migration: use SET LOCAL")
				}
			}
		}
	}
	return nil
}

// keywords returns the first two words of a statement in upper case, comments left out.
func keywords(sql string) (words [2]string) {
	n := 0
	for line := range strings.Lines(sql) {
		code, _, _ := strings.Cut(line, "--")
		for _, word := range strings.Fields(code) {
			words[n] = strings.ToUpper(strings.TrimRight(word, ";"))
			if n++; n == len(words) {
				return words
			}
		}
	}
	return words
}

// cutAnnotation returns what follows "-- +goose" on a line of its own.
func cutAnnotation(line string) (string, bool) {
	comment, found := strings.CutPrefix(line, "--")
	if !found {
		return "", false
	}
	annotation, found := strings.CutPrefix(strings.TrimSpace(comment), "+goose")
	return strings.Join(strings.Fields(annotation), " "), found
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
