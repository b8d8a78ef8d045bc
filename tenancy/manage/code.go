package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// The exit codes of the commands. They stay. Beyond them, shell exits as psql does.
const (
	CodeOK          = 0   // it is done
	CodeFailed      = 1   // it is not
	CodeUsage       = 2   // the arguments are wrong, or a value is refused; nothing was changed
	CodeIncomplete  = 3   // nothing failed, and not all is done: a limit, an interrupt, or in init a missing privilege
	CodeFound       = 4   // what was looked for is there: drift, schemas that are behind
	CodeUnsafe      = 5   // check has found what lets tenants get at each other: do not serve
	CodeTampered    = 6   // the access log is not what was written
	CodeUnconfirmed = 7   // what cannot be taken back was not confirmed; nothing was changed
	CodeMissing     = 8   // there is no such tenant, domain, backup or request
	CodeInterrupted = 130 // by Ctrl-C or SIGTERM
)

// meanings are what help says about a code.
var meanings = map[int]string{
	CodeOK:          "done",
	CodeFailed:      "failed",
	CodeUsage:       "wrong arguments, or a value that is refused; nothing was changed",
	CodeIncomplete:  "nothing failed, and not all is done: run it again",
	CodeFound:       "found what was looked for",
	CodeUnsafe:      "the database is not safe to serve tenants from",
	CodeTampered:    "the access log is not what was written",
	CodeUnconfirmed: "not confirmed; nothing was changed",
	CodeMissing:     "no such tenant, domain, backup or request",
	CodeInterrupted: "interrupted",
}

// codesHelp is the section of help on the exit codes of a command: those of all, and its own.
func codesHelp(own map[int]string) string {
	var b strings.Builder
	b.WriteString("\n\nExit codes:")
	for _, code := range []int{
		CodeOK, CodeFailed, CodeUsage, CodeIncomplete, CodeFound, CodeUnsafe, CodeTampered, CodeUnconfirmed, CodeMissing, CodeInterrupted,
	} {
		meaning, listed := own[code]
		switch {
		case meaning != "":
		case listed, code <= CodeUsage, code == CodeInterrupted:
			meaning = meanings[code]
		default:
			continue
		}
		fmt.Fprintf(&b, "\n  %-3d  %s", code, strings.ReplaceAll(fill(meaning, helpWidth-7), "\n", "\n       "))
	}
	return b.String()
}

// codeError is an error that says what to exit with. A nil err says nothing more.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return meanings[e.code]
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// usageError says what is wrong with the arguments.
type usageError struct{ reason string }

func (e *usageError) Error() string { return e.reason }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// ExitCode returns what a program exits with after a command has returned err: one of the codes of
// this package, or psql's own after shell.
func ExitCode(err error) int {
	var coded *codeError
	switch {
	case err == nil:
		return CodeOK
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, tenancy.ErrStatus):
		return CodeFailed
	case refused(err):
		return CodeUsage
	case missing(err):
		return CodeMissing
	case errors.Is(err, context.Canceled):
		return CodeInterrupted
	}
	return CodeFailed
}

// refused reports whether a value was refused before anything was done with it.
func refused(err error) bool {
	var (
		usage    *usageError
		field    *tenancy.FieldError
		logField *audit.FieldError
		name     *schemactx.NameError
		option   *migrate.OptionError
		unlisted *migrate.UnlistedError
		step     *tenancy.StepError
	)
	if errors.As(err, &step) {
		return false // something was done
	}
	return errors.As(err, &usage) || errors.As(err, &field) || errors.As(err, &logField) || errors.As(err, &name) ||
		errors.As(err, &option) || errors.As(err, &unlisted) || errors.Is(err, migrate.ErrNoMigration)
}

func missing(err error) bool {
	for _, sentinel := range []error{
		tenancy.ErrNotFound, tenancy.ErrDomainNotFound, tenancy.ErrDropRequest, tenancy.ErrNothingAside,
		errNoBackup, migrate.ErrSchemaMissing, schemactx.ErrSchemaMissing,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}
