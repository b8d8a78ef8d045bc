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

// The exit codes of the commands. They are stable. In addition, shell exits with psql's code.
const (
	CodeOK          = 0   // done
	CodeFailed      = 1   // failed
	CodeUsage       = 2   // wrong arguments, or a refused value; nothing was changed
	CodeIncomplete  = 3   // nothing failed, but work is left: a limit, an interrupt, or in init a missing privilege
	CodeFound       = 4   // found what the command looks for: drift, schemas that are behind
	CodeUnsafe      = 5   // check found that tenants can reach each other's data: do not serve
	CodeTampered    = 6   // the access log was tampered with
	CodeUnconfirmed = 7   // an irreversible action was not confirmed; nothing was changed
	CodeMissing     = 8   // the tenant, domain, backup or request does not exist
	CodeInterrupted = 130 // interrupted by Ctrl-C or SIGTERM
)

// meanings are the texts of the help for the codes.
var meanings = map[int]string{
	CodeOK:          "done",
	CodeFailed:      "failed",
	CodeUsage:       "wrong arguments, or a value that is refused; nothing was changed",
	CodeIncomplete:  "nothing failed, but work is left: run it again",
	CodeFound:       "found what the command looks for",
	CodeUnsafe:      "the database is not safe to serve tenants from",
	CodeTampered:    "the access log was tampered with",
	CodeUnconfirmed: "not confirmed; nothing was changed",
	CodeMissing:     "no such tenant, domain, backup or request",
	CodeInterrupted: "interrupted",
}

// codesHelp returns the help's section on exit codes: the codes of all commands, and the command's
// own.
func codesHelp(own map[int]string) string {
	var b strings.Builder
	b.WriteString("\n\nExit codes:")
	for _, code := range []int{
		CodeOK, CodeFailed, CodeUsage, CodeIncomplete, CodeFound, CodeUnsafe, CodeTampered, CodeUnconfirmed,
		CodeMissing, CodeInterrupted,
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

// codeError is an error with an exit code. If err is nil, only the code is reported.
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

// usageError is an error in the arguments.
type usageError struct{ reason string }

func (e *usageError) Error() string { return e.reason }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// ExitCode returns the exit code of the process for the error of a command: one of the codes of
// this package, or psql's own after shell. For nil it is [CodeOK].
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

// refused reports whether err refuses a value before any change was made.
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
		return false // earlier steps may have made changes
	}
	return errors.As(err, &usage) || errors.As(err, &field) || errors.As(err, &logField) || errors.As(err, &name) ||
		errors.As(err, &option) || errors.As(err, &unlisted) || errors.Is(err, migrate.ErrNoMigration)
}

func missing(err error) bool {
	for _, sentinel := range []error{
		tenancy.ErrNotFound, tenancy.ErrDomainNotFound, tenancy.ErrDropRequest, tenancy.ErrNoRetainedSchema,
		errNoBackup, migrate.ErrSchemaMissing, schemactx.ErrSchemaMissing,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}
