package sqlstate

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs that the packages act on. The comments name the message of the server where the
// code is too general.
const (
	DivisionByZero       = "22012"
	InvalidParameter     = "22023"
	InvalidSchemaName    = "3F000"
	InsufficientRights   = "42501"
	ProtocolViolation    = "08P01" // bind message has n result formats but query has m columns
	FeatureUnsupported   = "0A000" // cached plan must not change result type
	InvalidStatement     = "26000" // prepared statement does not exist
	DuplicateStatement   = "42P05"
	UndefinedFunction    = "42883" // or operator: a column has another type than the statement's parameter
	SerializationFailure = "40001"
	Deadlock             = "40P01"
	CannotChangeNow      = "55P02"
	UndefinedObject      = "42704"
	DatatypeMismatch     = "42804"
	InternalError        = "XX000" // cache lookup failed for type
	InvalidBinary        = "22P03"
	InvalidName          = "42602"
	LockNotAvailable     = "55P03" // lock_timeout
	DependentObjects     = "2BP01"
	UndefinedFile        = "58P01" // an extension's control file, before PostgreSQL 15
	UndefinedTable       = "42P01"
	DuplicateTable       = "42P07"
	UndefinedColumn      = "42703"
	CannotCoerce         = "42846"
	InvalidText          = "22P02"
	WrongObjectType      = "42809"
	UniqueViolation      = "23505"
	InvalidSavepoint     = "3B001"
	OutOfSharedMemory    = "53200"

	ClassInvalidAuthorization = "28" // the role does not exist, may not log in, or has another password
)

// Is reports whether err is PostgreSQL's error of one of the codes.
func Is(err error, codes ...string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(codes, pgErr.Code)
}
