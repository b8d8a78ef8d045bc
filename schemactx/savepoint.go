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

// ownSavepoints is the prefix of savepoint names on the server. The names that statements give are
// kept in txState, so the two cannot be confused.
const ownSavepoints = "pgtenant_"

// savepoint is a savepoint of the transaction. It is on the server or will be set with the next
// statement.
type savepoint struct {
	server string // its name on the server
	name   string // the name in the SAVEPOINT statement; "" if [Tx.Begin] made it
	tx     *Tx    // the result of Begin, else nil
}

// newSavepoint adds a savepoint, which is sent with the next statement.
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

// cut removes the savepoints from index i on from the stack. Those that Begin returned become done.
func (st *txState) cut(i int) {
	for _, sp := range st.stack[i:] {
		if sp.tx != nil {
			sp.tx.done = true
		}
	}
	st.stack = st.stack[:i]
}

// cutBegun removes a savepoint that Begin made from the stack, and all inside of it.
func (st *txState) cutBegun(server string) {
	if i := slices.IndexFunc(st.stack, func(sp savepoint) bool { return sp.server == server }); i >= 0 {
		st.cut(i)
	}
}

// savepointOp is the operation of a savepoint statement. Its text is PostgreSQL's command tag.
type savepointOp string

const (
	opSavepoint  savepointOp = "SAVEPOINT"
	opRelease    savepointOp = "RELEASE"
	opRollbackTo savepointOp = "ROLLBACK"
)

// sql returns the statement for a savepoint of that name, which must be quoted if necessary.
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
	name string // as PostgreSQL would store it
}

// parseSavepoint parses a savepoint statement. It returns false for all other statements, such as a
// ROLLBACK without TO.
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

// afterSavepoint returns the name of the savepoint. The word SAVEPOINT may come before it, and it
// may also be the name itself.
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
	for l.skipBlank(); strings.HasPrefix(l.rest, ";"); l.skipBlank() {
		l.rest = l.rest[1:]
	}
}

// identifier returns the next word as PostgreSQL would store it as a name, or "" if none follows.
func (l *lexer) identifier() (name string, quoted bool) {
	l.skipBlank()
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

// lowerASCII folds the letters that PostgreSQL folds in a name in UTF-8.
func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}

// truncated returns the part of a name that PostgreSQL keeps.
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

// resolve looks up the name of a savepoint statement on a stack. The innermost savepoint hides
// outer ones of the same name. It returns the index and the name to send. If there is no such
// savepoint, at is -1, and the server refuses the name.
func (c savepointStatement) resolve(stack []savepoint) (at int, server string) {
	for at = len(stack) - 1; at >= 0; at-- {
		if sp := stack[at]; sp.tx == nil && sp.name == c.name {
			return at, sp.server
		}
	}
	name := c.name
	if strings.HasPrefix(name, ownSavepoints) {
		name = name[:min(len(name), MaxNameLen-1)] + " " // no savepoint on the server has this name
	}
	server, _ = QuoteName(name) // a parsed name is valid
	return -1, server
}

// applied records what the server has done to the savepoint at index at of the stack, or that it
// has set the savepoint server.
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

// savepoint runs a savepoint statement as PostgreSQL would, on the stack that it shares with
// [Tx.Begin]. SAVEPOINT costs no round trip: it is sent with the next statement.
func (s *statement) savepoint(c savepointStatement) error {
	s.closed, s.savepointed, s.input.textKind = true, true, kindRead
	if s.tx.suspect {
		s.input.textKind = kindOther // still suspect: the scope is not asserted here
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
	if i := slices.Index(st.savepoints, server); i >= 0 { // not on the server yet, like all inside of it
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

// sendRefused sends a statement that the server will refuse, after everything that must precede it:
// BEGIN and savepoints that were not sent yet. It returns the server's error, and the transaction
// has failed as in PostgreSQL.
func (s *statement) sendRefused(ctx context.Context, sql string) error {
	written := s.input
	defer func() { s.input = written }()
	s.input = input{sql: sql, kind: kindRead, textKind: kindRead, mode: pgx.QueryExecModeExec}
	if err := s.input.encode(s.conn.TypeMap(), &s.state.eqb, nil); err != nil {
		return err
	}
	send := s.sendAlone
	if s.needsPrologue() {
		send = s.sendWithPrologue
	}
	err := send(ctx, nil)
	if err == nil {
		err = s.readAhead()
	}
	if err = s.drain(err); err == nil {
		s.destroy() // its effect is unknown
		err = errors.New("schemactx: the server took a savepoint statement that it cannot know")
	}
	return err
}

// savepointCommand is a savepoint statement in the batch of a transaction.
type savepointCommand struct {
	savepointStatement
	at     int    // its index on the stack when it runs
	server string // the name that is sent
}

// isSavepoint reports whether c is a savepoint statement. If so, it sets c.savepoint.
func (br *batchResults) isSavepoint(c *input) bool {
	if br.tx == nil || c.textKind != kindRefused || len(c.args) > 0 {
		return false
	}
	parsed, ok := parseSavepoint(c.sql)
	if ok {
		c.textKind, c.named, c.savepoint = kindRead, nil, &savepointCommand{savepointStatement: parsed}
	}
	return ok
}

// afterRollback makes c run unprepared in a failed transaction, because the server does not parse
// it before the preceding ROLLBACK TO has run.
func (br *batchResults) afterRollback(c *input) {
	if br.tx != nil && br.status() == 'E' {
		c.mode = pgx.QueryExecModeExec
	}
}

// resolveSavepoints resolves the names in the savepoint statements of a batch, each on the stack
// that the statements before it will leave. It reports whether the batch begins with a ROLLBACK TO
// in a failed transaction. The scope is asserted after that.
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
				br.inputs[0].textKind, br.inputs[0].kind, br.kind = kindOther, kindOther, worse(br.kind, kindOther)
			}
		}
	}
	return recovers
}

// readSavepoints reads the results that the caller has not read, to record the effects of the
// savepoint statements among them.
func (br *batchResults) readSavepoints() {
	unread := br.inputs[min(br.next, len(br.inputs)):]
	if !slices.ContainsFunc(unread, func(c input) bool { return c.savepoint != nil }) {
		return
	}
	for i := br.next; i < len(br.inputs) && br.advance(i) == nil; i++ {
		if _, err := br.mrr.ResultReader().Close(); err != nil {
			return
		}
		br.savepointDone(i)
	}
}

// savepointDone records that statement i has succeeded, if it is a savepoint statement.
func (br *batchResults) savepointDone(i int) {
	if sp := br.inputs[i].savepoint; sp != nil {
		br.tx.applied(sp.savepointStatement, sp.at, sp.server)
	}
}
