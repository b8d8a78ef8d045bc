package schemactx

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unavailable reports whether err says that PostgreSQL could not be reached or that the connection
// to it was lost: the server is stopped, starting, restarting or out of connections. A retry may
// succeed a moment later, so a service answers with 503. Unavailable returns false for an error of
// a statement, such as a syntax error or its statement_timeout, and for the end of a context. The
// exception is a deadline that passes while a connection is opened: a server that does not accept a
// connection in that time is unavailable for the caller. A canceled context says nothing about the
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

// closesConnection reports whether an error with this SQLSTATE ends or refuses a connection: class
// 08, a shutdown or start of the server (57P01 to 57P05), or too many connections (53300).
func closesConnection(code string) bool {
	return len(code) == 5 && (code[:2] == "08" || code[:3] == "57P" || code == "53300")
}

// MayBeCommitted reports whether the unit of work that returned err may have been committed
// although it failed. That is possible if it was sent, and the connection or the context ended
// before the server's response arrived. If MayBeCommitted returns false, the unit of work has
// changed nothing. For nil it returns true.
//
// Before you repeat work that may have been committed, check the data, unless the work is
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
