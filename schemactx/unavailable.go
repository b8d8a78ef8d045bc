package schemactx

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unavailable reports whether err says that PostgreSQL could not be reached, or that the connection
// to it was lost: the server is stopped, starting, restarting or out of connections. A retry may
// succeed a moment later, so a service answers with 503. For an error about a statement, such as a
// syntax error or its statement_timeout, and for the end of a context it returns false. The
// exception is a deadline that passes while a connection is made: a server that does not accept one
// in that time is away for the caller. A caller that cancels its context says nothing about the
// server.
func Unavailable(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return !errors.Is(err, context.Canceled)
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return closesConnection(pgErr.Code)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var network *net.OpError
	return errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network)
}

// closesConnection reports whether an error with this SQLSTATE ends the connection or refuses one:
// class 08, a shutdown or start of the server (57P01 to 57P05), or too many connections.
func closesConnection(code string) bool {
	return len(code) == 5 && (code[:2] == "08" || code[:3] == "57P" || code == "53300")
}

// MayBeCommitted reports whether the unit of work that returned err may have been committed
// although it failed: it was sent, and the connection or the context ended before the server's
// answer came. If it returns false, the unit of work has changed nothing. For nil it returns true.
//
// Check the data before you repeat work that may have been committed, unless the work is
// idempotent.
func MayBeCommitted(err error) bool {
	var connect *pgconn.ConnectError
	var pgErr *pgconn.PgError
	var login *LoginError
	var limit *LimitError
	switch {
	case errors.Is(err, pgconn.ErrConnClosed):
		return true // pgconn says SafeToRetry even if the connection was lost while a batch was read
	case errors.As(err, &connect), pgconn.SafeToRetry(err), errors.As(err, &login), errors.As(err, &limit):
		return false
	case errors.As(err, &pgErr):
		return closesConnection(pgErr.Code) && pgErr.Code != "53300"
	}
	return true
}
