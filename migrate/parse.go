package migrate

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads one file line by line, as goose does, so that the file means the same to goose's
// CLI. A gooseText is what goose sends as one text. The runner sends its statements one by one.
type parser struct {
	m       *migration
	section *[]gooseText // up or down; nil before the first annotation
	block   int          // line of the open StatementBegin; 0: none
	emptied bool         // the last block had no text
	text    strings.Builder
	lines   []int // line numbers in the file of the lines of text, from the first that is not blank
	line    int

	up, down []gooseText
}

// gooseText is a text that goose sends as a whole.
type gooseText struct {
	text       string
	lines      []int // the line number in the file of each line of the text
	statements []sqlText
}

// lineOf returns the line number in the file of a byte offset in the text.
func (c gooseText) lineOf(at int) int { return c.lines[strings.Count(c.text[:at], "\n")] }

// parse reads a migration. The version comes from the file's name.
func parse(source, file, content string) (*migration, error) {
	p := &parser{m: &migration{source: source, file: file, kind: KindSQL}}
	if err := p.parseName(); err != nil {
		return nil, err
	}
	content = strings.TrimPrefix(content, byteOrderMark)
	if err := p.checkEncoding(content); err != nil {
		return nil, err
	}
	for line := range strings.Lines(content) {
		p.line++
		if err := p.parseLine(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")); err != nil {
			return nil, err
		}
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	return p.m, p.build()
}

func (p *parser) refuse(reason string) error {
	return &ParseError{Source: p.m.source, File: p.m.file, Line: p.line, Reason: reason}
}

// refuseAt is refuse for another line. Line 0 is the file as a whole.
func (p *parser) refuseAt(line int, reason string) error {
	p.line = line
	return p.refuse(reason)
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

const byteOrderMark = "\ufeff"

// checkEncoding returns an error if the content is not UTF-8 text. PostgreSQL accepts no NUL byte.
func (p *parser) checkEncoding(content string) error {
	lineOf := func(i int) int { return 1 + strings.Count(content[:i], "\n") }
	switch nul := strings.IndexByte(content, 0); {
	case strings.HasPrefix(content, "\xff\xfe"), strings.HasPrefix(content, "\xfe\xff"):
		return p.refuseAt(0, "is in UTF-16: save it as UTF-8")
	case nul >= 0:
		return p.refuseAt(lineOf(nul), "has a NUL byte: is the file text, and in UTF-8?")
	}
	for i, r := range content {
		if _, size := utf8.DecodeRuneInString(content[i:]); r == utf8.RuneError && size == 1 {
			return p.refuseAt(lineOf(i), "is not UTF-8: save the file in that encoding")
		}
	}
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
		return p.refuse("statement before the first annotation: begin the file with a line -- +goose Up")
	case p.emptied && trimmed != "":
		return p.refuse(
			"goose drops this line, as it follows a StatementBegin and StatementEnd without a statement: remove those",
		)
	case p.emptied: // goose takes a line of blanks for the statement
		p.emptied = false
		return p.finish()
	}
	if len(p.lines) > 0 || trimmed != "" {
		p.lines = append(p.lines, p.line)
	}
	p.text.WriteString(line)
	p.text.WriteByte('\n')
	if p.block == 0 && endsStatement(line) {
		return p.finish()
	}
	return nil
}

// take returns the text that was read so far and resets it.
func (p *parser) take() gooseText {
	c := gooseText{text: strings.TrimSpace(p.text.String()), lines: p.lines}
	c.statements = splitSQL(c.text)
	p.text.Reset()
	p.lines = nil
	return c
}

// finish adds the text to its section.
func (p *parser) finish() error {
	c := p.take()
	*p.section = append(*p.section, c)
	return p.checkTokens(c)
}

// annotate handles a comment line with +goose. An unknown annotation is an error, as it is for
// goose.
func (p *parser) annotate(line string) error {
	annotation := strings.TrimSpace(strings.Replace(strings.ReplaceAll(line, "--", ""), "+goose", "", 1))
	name := strings.ToUpper(annotation)
	switch {
	case strings.HasPrefix(line, " "), strings.HasPrefix(line, "\t"):
		return p.refuse("annotation is indented")
	case name != "STATEMENTEND" && p.pending(name == "DOWN"):
		return p.unfinished("annotation inside a statement")
	}
	switch name {
	case "UP":
		if p.section != nil {
			return p.refuse("second Up section, or Up after Down")
		}
		p.section = &p.up
	case "DOWN":
		return p.beginDown()
	case "STATEMENTBEGIN":
		if p.block != 0 {
			return p.unfinished("StatementBegin inside a statement")
		}
		if p.section == nil {
			return p.refuse("StatementBegin before Up")
		}
		p.block, p.emptied = p.line, false
	case "STATEMENTEND":
		return p.endBlock()
	case "NO TRANSACTION":
		p.m.noTx = true
	case "ENVSUB ON", "ENVSUB OFF":
		return p.refuse("ENVSUB is not supported: a migration is the same everywhere")
	default:
		return p.refuse(unknownAnnotation(annotation))
	}
	return nil
}

// pending reports whether a statement is not finished. goose permits comments without a statement
// before every annotation except Down, for which comments is set.
func (p *parser) pending(comments bool) bool {
	return len(p.lines) > 0 && (comments || len(splitSQL(p.text.String())) > 0)
}

func unknownAnnotation(annotation string) string {
	if strings.Contains(annotation, "\r") {
		return "lines end in carriage returns alone: save the file with newlines"
	}
	return "unknown annotation +goose " + annotation
}

func (p *parser) beginDown() error {
	switch {
	case p.section == nil, p.section == &p.down:
		return p.refuse("Down does not follow an Up section")
	case p.block != 0:
		return p.unfinished("Down inside a statement")
	}
	p.section, p.m.hasDown, p.emptied = &p.down, true, false
	p.text.Reset()
	return nil
}

func (p *parser) endBlock() error {
	if p.block == 0 {
		return p.refuse("StatementEnd without StatementBegin")
	}
	p.block = 0
	if p.text.Len() == 0 {
		p.emptied = true
		return nil
	}
	return p.finish()
}

// end returns an error if the file ends too early.
func (p *parser) end() error {
	switch {
	case p.block != 0:
		return p.unfinished("file ends")
	case len(p.lines) > 0:
		return p.unfinished("")
	case p.section == nil:
		return p.refuseAt(0, "has no Up section: begin it with a line -- +goose Up")
	}
	return nil
}

// unfinished returns the error for a text that does not end before an annotation or the end of the
// file. The error says what the text is.
func (p *parser) unfinished(where string) error {
	line := p.line
	c := p.take()
	if err := p.checkPsql(c); err != nil {
		return err
	}
	p.line = line
	last := readSQL(c.text)
	if where == "" {
		line = c.lineOf(last.at)
	} else {
		where += ": "
	}
	p.line = line
	switch {
	case p.block != 0:
		return p.refuse(fmt.Sprintf("%sStatementBegin of line %d has no StatementEnd", where, p.block))
	case last.sql == "":
		return p.refuse(where + "a comment that no statement follows, which goose takes for one without a semicolon:" +
			" begin each of its lines with -- and leave no line of blanks above it")
	case last.open != "":
		return p.refuse(fmt.Sprintf("%sstatement of line %d ends within %s", where, c.lineOf(last.at), last.open))
	case last.ended:
		return p.refuse(where + "the semicolon must be the last on its line, but for a comment that begins with --")
	}
	return p.refuse(
		fmt.Sprintf("%sstatement of line %d does not end: its last line needs a semicolon", where, c.lineOf(last.at)),
	)
}

// endsStatement reports whether the last word of a line, without its comment, ends in a semicolon.
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
