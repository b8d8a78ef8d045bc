package migrate

import (
	"slices"
	"strings"
)

// checkTokens returns an error for a text that is not SQL as the server reads it.
func (p *parser) checkTokens(c gooseText) error {
	if err := p.checkPsql(c); err != nil {
		return err
	}
	for _, t := range c.statements {
		open := t.open
		if t.body && open == "" {
			open = "BEGIN ATOMIC ... END"
		}
		if open != "" {
			return p.refuseAt(c.lineOf(t.at), "statement ends within "+open+": put it between StatementBegin and StatementEnd")
		}
	}
	return nil
}

// checkPsql returns an error for what only psql can do: its commands and COPY data.
func (p *parser) checkPsql(c gooseText) error {
	for _, t := range c.statements {
		switch copies := t.words(1)[0] == "COPY"; {
		case copies && t.has("FROM", "STDIN"):
			return p.refuseAt(
				c.lineOf(t.at),
				"COPY from the client, with the lines of data behind it, is not possible in a migration: "+
					"use INSERT, as pg_dump --inserts does",
			)
		case copies && t.has("TO", "STDOUT"):
			return p.refuseAt(c.lineOf(t.at), "COPY to the client is not possible in a migration")
		}
		for _, tok := range t.tokens {
			switch {
			case tok.is(`\`):
				return p.refuseAt(
					c.lineOf(tok.at),
					strings.Fields(c.text[tok.at:])[0]+" is a command of psql, and no SQL: leave it out",
				)
			case tok.kind == word && strings.HasPrefix(tok.text, byteOrderMark):
				return p.refuseAt(c.lineOf(tok.at), "has a byte order mark: only the file may begin with one")
			}
		}
	}
	return nil
}

// build makes the statements of the texts. It returns an error for a statement that would end the
// migration's transaction, or change the settings that the runner has made. A migration without a
// transaction is not checked, because it has a connection of its own.
func (p *parser) build() error {
	p.m.noTxDown = p.m.noTx
	for _, c := range p.up {
		p.m.upTexts = append(p.m.upTexts, c.text)
	}
	p.m.checksum = p.m.sum()
	var err error
	if p.m.up, err = p.statements(p.up); err == nil {
		p.m.down, err = p.statements(p.down)
	}
	return err
}

func (p *parser) statements(texts []gooseText) ([]statement, error) {
	var all []statement
	number, prologue := 0, true
	for _, c := range texts {
		together := p.m.noTx && len(c.statements) > 1 && !slices.ContainsFunc(c.statements, sqlText.needsNoTx)
		if together { // goose sends them as one text, which is one transaction
			all = append(all, statement{sql: "begin", line: c.lineOf(c.statements[0].at), number: number + 1})
		}
		for _, t := range c.statements {
			number++
			s := statement{sql: t.sql, line: c.lineOf(t.at), number: number, shared: t.sharedOnly()}
			if err := p.checkStatement(s.line, t); err != nil {
				return nil, err
			}
			if len(c.statements) == 1 {
				s.sql = c.text
			}
			s.changesSettings, s.reset = t.changesSettings()
			s.keepsSession, s.mayCreateEventTrigger = t.keepsSession(), t.eventTrigger()
			if p.m.noTx {
				s.concurrent = t.concurrently()
			}
			s.prologue = prologue && !p.m.noTx && t.setsTransaction()
			prologue = prologue && t.needsNoSnapshot()
			all = append(all, s)
		}
		if together {
			all = append(all, statement{sql: "commit", line: all[len(all)-1].line, number: number})
		}
	}
	return all, nil
}

// checkStatement returns the error of build for a statement.
func (p *parser) checkStatement(line int, t sqlText) error {
	if p.m.noTx {
		return nil
	}
	words := t.words(2)
	switch words[0] {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT":
		return p.refuseAt(line, words[0]+" in a migration that runs in a transaction: leave it out, or use NO TRANSACTION")
	case "PREPARE":
		if words[1] == "TRANSACTION" {
			return p.refuseAt(line, "PREPARE TRANSACTION in a migration that runs in a transaction: leave it out")
		}
	case "DISCARD":
		return p.refuseAt(line, "DISCARD in a migration that runs in a transaction: leave it out")
	case "SET", "RESET":
		if reason := t.refusesSetting(); reason != "" {
			return p.refuseAt(line, words[0]+" "+reason)
		}
	}
	return nil
}

// refusesSetting returns why a migration must not contain a SET or RESET, or the empty string if it
// may. What a SET changes lasts until the end of the file, when the runner resets it.
func (t sqlText) refusesSetting() string {
	if t.setsTransaction() && t.readOnly() {
		return "of a transaction that only reads in a migration: its version could not be written down. Leave it out"
	}
	i := 1
	if t.token(1).is("SESSION") && !t.token(2).is("AUTHORIZATION") && !t.token(2).is("CHARACTERISTICS") {
		i = 2
	}
	switch setting := t.token(i).identifier(); setting {
	case "search_path", "schema", "role", "session", "all":
		if setting == "session" && t.token(i+1).is("CHARACTERISTICS") {
			return ""
		}
		return "of " + setting + " in a migration: path and role are those of its schema." +
			" Leave it out, or use SET LOCAL for the statements that need another"
	case "standard_conforming_strings":
		if value := t.token(len(t.tokens) - 1); !value.is("ON") && !value.is("DEFAULT") && value.text != "'on'" {
			return "of standard_conforming_strings: files are read with it on. Leave it out"
		}
	}
	return ""
}

// needsNoTx reports whether a statement cannot run in a transaction block, or ends one.
func (t sqlText) needsNoTx() bool {
	switch words := t.words(2); words[0] {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "VACUUM", "CLUSTER", "CALL":
		return true
	case "CREATE", "DROP", "REINDEX", "REFRESH", "ALTER":
		return t.has("CONCURRENTLY") || words[1] == "DATABASE" || words[1] == "SYSTEM" || words[1] == "TABLESPACE" ||
			words[1] == "SUBSCRIPTION"
	}
	return false
}
