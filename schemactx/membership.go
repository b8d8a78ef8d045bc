package schemactx

import (
	"context"
	"errors"

	"github.com/oryne/pgtenant/internal/postgres"
	"github.com/oryne/pgtenant/internal/sqlstate"
)

// outdated reports whether the server refused the scope because its process does not know yet that
// the login may take the tenant's role, and if so makes it look anew: what was tried can be tried
// again, and nothing of it has run.
//
// A process of the server keeps the list of roles that its login may take. It makes the list when
// it needs one, and again after a GRANT. One that is committed while it reads can escape it
// (PostgreSQL 14 to 18, roles_is_member_of in acl.c: the news arrives before the list that lacks it
// is kept), and then the process refuses a new tenant until there is another GRANT. It keeps one
// list at a time, so that a question about another role makes it forget this one.
func (u *unitOfWork) membershipStale(ctx context.Context, tx *txState, err error) bool {
	if u.membershipRefreshed || u.scope.role == "" || !errors.Is(err, ErrNotProvisioned) ||
		!sqlstate.Is(err, sqlstate.InsufficientRights) {
		return false
	}
	u.membershipRefreshed = true
	return u.backToIdle(ctx, tx) && u.refreshMembership(ctx) == nil
}

// twice calls attempt, which begins with the scope, and again where what came in front of the scope
// stopped it: the server's process was behind the times, the catalogs cannot be read, or there are
// prepared statements that are not this package's.
func (u *unitOfWork) retryPrologue(ctx context.Context, tx *txState, attempt func() error) error {
	first := tx == nil || !tx.begun
	err := attempt()
	for tries := 0; err != nil && first && tries < 3 && (u.membershipStale(ctx, tx, err) || u.recoverPrologue(ctx, tx, err)); tries++ {
		err = attempt()
	}
	return err
}

// mayTryAgain reports whether err is one that twice deals with.
func (u *unitOfWork) prologueRetryable(err error) bool {
	var refused *catalogError
	return errors.Is(err, ErrNotProvisioned) || errors.Is(err, errForeignPrepared) || errors.As(err, &refused)
}

// cleared reports whether what stopped an attempt before the scope does not stop the next one.
func (u *unitOfWork) recoverPrologue(ctx context.Context, tx *txState, err error) bool {
	switch {
	case errors.Is(err, errForeignPrepared):
		u.state.discardPrepared()
	case !u.catalogRefused(err):
		return false
	}
	return u.backToIdle(ctx, tx)
}

// back takes the connection back to where a transaction can begin.
func (u *unitOfWork) backToIdle(ctx context.Context, tx *txState) bool {
	if u.status() == 'E' && u.rollback(ctx) != nil {
		return false
	}
	if tx != nil {
		tx.begun = false
	}
	return u.status() == 'I'
}

// lookAnew asks about the public role, which is a member of nothing.
func (u *unitOfWork) refreshMembership(ctx context.Context) error {
	roles := &u.db.cfg.Roles
	names := [][]byte{[]byte(roles.Public()), []byte(roles.Runtime())}
	privilege := "member"
	if postgres.Version(u.conn.PgConn()) >= 16 {
		privilege = "set" // which has a list of its own there
	}
	sql := "select pg_has_role($1::name, $2::name, '" + privilege + "')"
	return u.conn.PgConn().ExecParams(ctx, sql, names, nil, nil, nil).Read().Err
}
