package schemactx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ownSavepoints is how the names of savepoints begin on the server. The names that statements give
// them are kept here, so that neither can be taken for the other.
const ownSavepoints = "pgtenant_"

// savepoint is one that the transaction has, on the server or to be set there with the next
// statement.
type savepoint struct {
	server string // its name there
	name   string // that a SAVEPOINT statement gave it; "" where [Tx.Begin] made it
	tx     *Tx    // that Begin returned, else nil
}

// newSavepoint adds a savepoint, which the next statement brings to the server.
func (st *txState) newSavepoint(name string, tx *Tx) string {
	server := st.nextSavepoint()
	st.savepoints = append(st.savepoints, server)
	st.stack = append(st.stack, savepoint{server, name, tx})
	return server
}

func (st *txState) nextSavepoint() string {
	st.count++
	return ownSavepoints + strconv.Itoa(st.count)
}

// cut takes savepoints off the stack, from the i-th on. Those that Begin returned are over.
func (st *txState) cut(i int) {
	for _, sp := range st.stack[i:] {
		if sp.tx != nil {
			sp.tx.done = true
		}
	}
	st.stack = st.stack[:i]
}

// cutBegun takes off the stack what Begin returned, and all inside of it.
func (st *txState) cutBegun(server string) {
	if i := slices.IndexFunc(st.stack, func(sp savepoint) bool { return sp.server == server }); i >= 0 {
		st.cut(i)
	}
}

// savepointOp is what a savepoint statement does. Its text is PostgreSQL's command tag.
type savepointOp string

const (
	opSavepoint  savepointOp = "SAVEPOINT"
	opRelease    savepointOp = "RELEASE"
	opRollbackTo savepointOp = "ROLLBACK"
)

// sql is the statement that does it to a savepoint of that name, which has to be quoted if need be.
func (op savepointOp) sql(name string) string {
	switch op {
	case opSavepoint:
		return "savepoint " + name
	case opRelease:
		return "release savepoint " + name
	default:
		return "rollback to savepoint " + name
	}
}

// savepointStatement is SAVEPOINT, RELEASE or ROLLBACK TO as the caller wrote it.
type savepointStatement struct {
	op   savepointOp
	name string // as PostgreSQL would keep it
}

// parseSavepoint reads a savepoint statement. It reports false for everything else, such as
// ROLLBACK alone.
func parseSavepoint(sql string) (c savepointStatement, ok bool) {
	l := lexer{rest: sql}
	l.skipSemicolons()
	switch word, quoted := l.identifier(); {
	case quoted:
		return c, false
	case word == "savepoint":
		c.op = opSavepoint
		c.name, _ = l.identifier()
	case word == "release":
		c.op = opRelease
		c.name = l.afterSavepoint()
	case word == "rollback":
		c.op = opRollbackTo
		word, quoted = l.identifier()
		if !quoted && (word == "work" || word == "transaction") {
			word, quoted = l.identifier()
		}
		if quoted || word != "to" {
			return c, false
		}
		c.name = l.afterSavepoint()
	}
	l.skipSemicolons()
	return c, c.name != "" && l.rest == ""
}

// afterSavepoint returns the name behind the word SAVEPOINT, which may be left out, and may be the
// name itself.
func (l *lexer) afterSavepoint() string {
	name, quoted := l.identifier()
	if !quoted && name == "savepoint" {
		if next, _ := l.identifier(); next != "" {
			return next
		}
	}
	return name
}

// skipSemicolons skips white space, comments and empty statements.
func (l *lexer) skipSemicolons() {
	for l.blank(); strings.HasPrefix(l.rest, ";"); l.blank() {
		l.rest = l.rest[1:]
	}
}

// identifier returns the next word as PostgreSQL would keep it as a name, or "" where none follows.
func (l *lexer) identifier() (name string, quoted bool) {
	l.blank()
	switch {
	case l.rest == "":
		return "", false
	case l.rest[0] == '"':
		all := l.rest
		l.skipQuoted('"')
		whole := all[:len(all)-len(l.rest)]
		if len(whole) < 3 || whole[len(whole)-1] != '"' || strings.ContainsRune(whole, 0) {
			return "", true
		}
		return truncated(strings.ReplaceAll(whole[1:len(whole)-1], `""`, `"`)), true
	case wordStart(l.rest[0]):
		n := l.wordLen()
		name, l.rest = l.rest[:n], l.rest[n:]
		return truncated(strings.Map(lowerASCII, name)), false
	}
	return "", false
}

// lowerASCII folds what PostgreSQL folds in a name in UTF-8.
func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}

// truncated is as much of a name as PostgreSQL keeps.
func truncated(name string) string {
	if len(name) <= MaxNameLen {
		return name
	}
	n := MaxNameLen
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}

// resolve looks up the name of a savepoint statement on a stack, on which the innermost of a name
// hides the others. It returns its place and what to send. A name that is not there is for the
// server to refuse.
func (c savepointStatement) resolve(stack []savepoint) (at int, server string) {
	for at = len(stack) - 1; at >= 0; at-- {
		if sp := stack[at]; sp.tx == nil && sp.name == c.name {
			return at, sp.server
		}
	}
	name := c.name
	if strings.HasPrefix(name, ownSavepoints) {
		name = name[:min(len(name), MaxNameLen-1)] + " " // one that the server cannot have
	}
	server, _ = QuoteName(name) // a parsed name is a valid one
	return -1, server
}

// applied notes what the server has done to the savepoint at that place of the stack, or that it
// has set server.
func (st *txState) applied(c savepointStatement, at int, server string) {
	switch {
	case c.op == opSavepoint:
		st.stack = append(st.stack, savepoint{server: server, name: c.name})
	case at < 0:
	case c.op == opRelease:
		st.cut(at)
	default:
		st.cut(at + 1) // ROLLBACK TO keeps the savepoint
	}
}

// savepoint carries out a savepoint statement as what it is in PostgreSQL, in the transaction, with
// what Begin keeps of savepoints. SAVEPOINT costs no round trip: it travels with the next
// statement.
func (s *statement) savepoint(c savepointStatement) error {
	s.closed, s.savepointed, s.input.text = true, true, kindRead
	if s.tx.suspect {
		s.input.text = kindOther // it stays so: the scope is not asserted here
	}
	s.input.named = nil
	err := s.ctx.Err()
	if len(s.input.args) > 0 {
		err = fmt.Errorf("expected 0 arguments, got %d", len(s.input.args))
	}
	if err == nil {
		err = s.doSavepoint(s.ctx, c)
	}
	if err == nil {
		s.tag = pgconn.NewCommandTag(string(c.op))
	}
	s.err = s.finish(s.tag, err)
	return s.err
}

func (s *statement) doSavepoint(ctx context.Context, c savepointStatement) error {
	st := s.tx
	at, server := c.resolve(st.stack)
	switch {
	case c.op == opSavepoint && s.status() != 'E':
		st.newSavepoint(c.name, nil)
		return nil
	case c.op == opSavepoint || at < 0:
		return s.sendRefused(ctx, c.op.sql(server))
	}
	if i := slices.Index(st.savepoints, server); i >= 0 { // it is not on the server yet, and nothing inside of it is
		if c.op == opRollbackTo {
			i++
		}
		st.savepoints = st.savepoints[:i]
	} else {
		st.savepoints = nil
		if _, err := s.conn.PgConn().Exec(ctx, c.op.sql(server)).ReadAll(); err != nil {
			return err
		}
	}
	st.applied(c, at, server)
	return nil
}

// sendRefused sends what the server will refuse, behind all that has to come before it: BEGIN,
// savepoints not sent yet. The error is the server's, and the transaction has failed as in
// PostgreSQL.
func (s *statement) sendRefused(ctx context.Context, sql string) error {
	written := s.input
	defer func() { s.input = written }()
	s.input = input{sql: sql, kind: kindRead, text: kindRead, mode: pgx.QueryExecModeExec}
	if err := s.input.encode(s.conn.TypeMap(), &s.state.eqb, nil); err != nil {
		return err
	}
	send := s.sendAlone
	if s.needsPrologue() {
		send = s.sendBehind
	}
	err := send(ctx, nil)
	if err == nil {
		err = s.readAhead()
	}
	if err = s.drain(err); err == nil {
		s.destroy() // whatever it has done is unknown
		err = errors.New("schemactx: the server took a savepoint statement that it cannot know")
	}
	return err
}

// savepointCall is a savepoint statement in the batch of a transaction.
type savepointCommand struct {
	savepointStatement
	at     int    // its place on the stack when it runs
	server string // what is sent
}

// isSavepoint reports whether c is a savepoint statement, and notes what it does.
func (br *batchResults) isSavepoint(c *input) bool {
	if br.tx == nil || c.text != kindRefused || len(c.args) > 0 {
		return false
	}
	parsed, ok := parseSavepoint(c.sql)
	if ok {
		c.text, c.named, c.savepoint = kindRead, nil, &savepointCommand{savepointStatement: parsed}
	}
	return ok
}

// afterRollback leaves c unprepared in a transaction that has failed: the server does not parse it
// before the ROLLBACK TO in front of it has run.
func (br *batchResults) afterRollback(c *input) {
	if br.tx != nil && br.status() == 'E' {
		c.mode = pgx.QueryExecModeExec
	}
}

// resolveSavepoints finds out what the savepoint statements are for, each on the stack that those
// before it will have left. It reports whether the batch begins by taking back what has failed; the
// scope is asserted behind that.
func (br *batchResults) resolveSavepoints() (recovers bool) {
	var stack []savepoint
	for i := range br.inputs {
		c := br.inputs[i].savepoint
		if c == nil {
			continue
		}
		if stack == nil {
			stack = slices.Clone(br.tx.stack)
		}
		c.at, c.server = c.resolve(stack)
		switch {
		case c.op == opSavepoint:
			c.server = br.tx.nextSavepoint()
			stack = append(stack, savepoint{server: c.server, name: c.name})
		case c.at < 0:
		case c.op == opRelease:
			stack = stack[:c.at]
		default:
			stack = stack[:c.at+1]
		}
		if i == 0 && c.op == opRollbackTo && br.status() == 'E' {
			recovers = true
			if br.tx.suspect {
				br.inputs[0].text, br.inputs[0].kind, br.kind = kindOther, kindOther, worse(br.kind, kindOther)
			}
		}
	}
	return recovers
}

// readSavepoints reads the results that the caller has left unread, for what the savepoint
// statements among them did.
func (br *batchResults) readSavepoints() {
	unread := br.inputs[min(br.next, len(br.inputs)):]
	if !slices.ContainsFunc(unread, func(c input) bool { return c.savepoint != nil }) {
		return
	}
	for i := br.next; i < len(br.inputs) && br.advance(i) == nil; i++ {
		if _, err := br.mrr.ResultReader().Close(); err != nil {
			return
		}
		if sp := br.inputs[i].savepoint; sp != nil {
			br.tx.applied(sp.savepointStatement, sp.at, sp.server)
		}
	}
}
