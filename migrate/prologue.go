package migrate

import (
	"errors"
	"strings"
)

// The server accepts SET TRANSACTION only before the first query of a transaction. The runner sends
// queries of its own after BEGIN, such as the settings. So it sends a file's SET TRANSACTION before
// them, directly after BEGIN. There goose sends it, too.

// errPrologueTooLate is returned for a file that cannot share a transaction with the files before
// it.
var errPrologueTooLate = errors.New(
	"SET TRANSACTION comes too late, as a file before it shares its transaction (TransactionForAll): " +
		"use a transaction for each file, begin the files that are run together with this one, or leave it out",
)

// setsTransaction reports whether a statement is a SET TRANSACTION or sets one of its settings.
func (t sqlText) setsTransaction() bool {
	if !t.token(0).is("SET") {
		return false
	}
	i := 1
	if t.token(1).is("LOCAL") || t.token(1).is("SESSION") {
		i = 2
	}
	switch t.token(i).identifier() {
	case "transaction", "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		return true
	}
	return false
}

// readOnly reports whether a SET TRANSACTION makes the transaction read-only.
func (t sqlText) readOnly() bool {
	if t.has("READ", "ONLY") {
		return true
	}
	if i := len(t.tokens) - 3; i < 1 || t.tokens[i].identifier() != "transaction_read_only" {
		return false
	}
	switch strings.ToLower(strings.Trim(t.tokens[len(t.tokens)-1].text, "'")) {
	case "off", "false", "no", "0", "default":
		return false
	}
	return true
}

// needsNoSnapshot reports whether the server accepts a SET TRANSACTION after the statement.
func (t sqlText) needsNoSnapshot() bool {
	switch t.words(1)[0] {
	case "SET", "RESET", "SHOW", "LOCK", "LISTEN", "UNLISTEN", "NOTIFY":
		return true
	}
	return false
}

// prologue returns the calls of a step that have to be the first of their transaction.
func (st *step) prologue() []call {
	var calls []call
	for i, s := range st.statements() {
		if s.prologue {
			calls = append(calls, call{sql: s.sql, step: st, i: i})
		}
	}
	return calls
}

// checkPrologue returns an error if a step has a prologue and is not the first of its transaction.
func (t target) checkPrologue(steps []step) error {
	if t.cfg.Transactions != TransactionForAll {
		return nil
	}
	for i := range steps {
		if i == 0 || steps[i-1].noTx() {
			continue
		}
		if calls := steps[i].prologue(); len(calls) > 0 {
			return t.failure(calls[0], errPrologueTooLate)
		}
	}
	return nil
}
