package metrics

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/schemactx"
)

// Values of the label class that are not classes of SQLSTATE.
const (
	classOther   = "other"    // a class that is not in errorClasses: SQL can raise any
	classScope   = "scope"    // the server refused the scope: there is no such schema, or no role for it
	classEscape  = "escape"   // the statement would have changed its scope or session
	classContext = "canceled" // the context ended
	classClient  = "client"   // anything else without an SQLSTATE: the connection is lost, an argument cannot be encoded
)

// errorClassCount is the length of errorClasses.
const errorClassCount = 24

// errorClasses are the values of the label class: the SQLSTATE classes that statements of a program
// can meet. The list is fixed, so that a tenant cannot create series by raising errors with
// invented codes.
var errorClasses = [errorClassCount]string{
	classOther, classScope, classEscape, classContext, classClient,
	"08", "0A", "21", "22", "23", "25", "26", "28", "2B", "34", "3F", "40", "42", "53", "54", "55", "57", "P0", "XX",
}

var errorClassIndex = func() map[string]cell {
	index := make(map[string]cell, len(errorClasses))
	for i, class := range errorClasses {
		index[class] = cell(i)
	}
	return index
}()

const insufficientPrivilege = "42501"

// failure says in which cells an error counts.
type failure struct {
	class   cell // offset from cellErrors
	attempt bool // also in cellAttempts: a privilege was missing
	escape  bool // also in cellEscapes
}

func failureOf(err error) failure {
	var pgErr *pgconn.PgError
	var scopeErr *schemactx.ScopeError
	switch {
	case errors.Is(err, schemactx.ErrScopeChanged), errors.Is(err, schemactx.ErrTransactionEnded):
		return failure{class: errorClassIndex[classEscape], escape: true}
	case errors.As(err, &scopeErr): // before the SQLSTATE: here 42501 means that the tenant has no role yet
		return failure{class: errorClassIndex[classScope]}
	case errors.As(err, &pgErr):
		class, ok := cell(0), false
		if len(pgErr.Code) == 5 {
			class, ok = errorClassIndex[pgErr.Code[:2]]
		}
		if !ok {
			class = errorClassIndex[classOther]
		}
		return failure{class: class, attempt: pgErr.Code == insufficientPrivilege}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return failure{class: errorClassIndex[classContext]}
	}
	return failure{class: errorClassIndex[classClient]}
}
