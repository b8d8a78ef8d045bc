package schemactx

import (
	"context"
	"errors"

	"github.com/oryne/pgtenant/internal/postgres"
	"github.com/oryne/pgtenant/internal/sqlstate"
)

// retryStaleMembership handles a scope that the server refused, perhaps because its process does
// not know yet that the login is a member of the tenant's role. It makes the process read the
// memberships again, once per unit of work. It reports whether the attempt can be repeated. Nothing
// of the attempt has run.
//
// A server process caches the list of roles that its login is a member of. It builds the list when
// it needs one, and again after a GRANT. A GRANT that is committed while it builds the list can be
// missed (PostgreSQL 14 to 18, roles_is_member_of in acl.c: the invalidation arrives before the
// outdated list is stored). The process then refuses a new tenant until the next GRANT. It caches
// one list at a time, so a question about another role replaces the list.
func (u *unitOfWork) retryStaleMembership(ctx context.Context, tx *txState, err error) bool {
	if u.membershipRefreshed || u.scope.role == "" || !errors.Is(err, ErrNotProvisioned) ||
		!sqlstate.Is(err, sqlstate.InsufficientRights) {
		return false
	}
	u.membershipRefreshed = true
	return u.backToIdle(ctx, tx) && u.refreshMembership(ctx) == nil
}

// retryPrologue calls attempt, which sends the prologue first. If the prologue failed for one of
// three reasons, it removes the reason and calls attempt again, at most three times. The reasons
// are a stale list of memberships in the server process, catalogs that cannot be read, and prepared
// statements that this package did not make. It does not repeat an attempt in a transaction that
// has begun.
func (u *unitOfWork) retryPrologue(ctx context.Context, tx *txState, attempt func() error) error {
	first := tx == nil || !tx.begun
	err := attempt()
	for tries := 0; err != nil && first && tries < 3; tries++ {
		if !u.retryStaleMembership(ctx, tx, err) && !u.recoverPrologue(ctx, tx, err) {
			break
		}
		err = attempt()
	}
	return err
}

// prologueRetryable reports whether retryPrologue may handle err.
func (u *unitOfWork) prologueRetryable(err error) bool {
	var refused *catalogError
	return errors.Is(err, ErrNotProvisioned) || errors.Is(err, errForeignPrepared) || errors.As(err, &refused)
}

// recoverPrologue handles a failed catalog read and prepared statements that this package did not
// make. It reports whether the next attempt can succeed.
func (u *unitOfWork) recoverPrologue(ctx context.Context, tx *txState, err error) bool {
	switch {
	case errors.Is(err, errForeignPrepared):
		u.state.discardPrepared()
	case !u.disableCatalogReads(err):
		return false
	}
	return u.backToIdle(ctx, tx)
}

// backToIdle rolls back a failed transaction, so that a transaction can begin. It reports whether
// the connection is idle.
func (u *unitOfWork) backToIdle(ctx context.Context, tx *txState) bool {
	if u.status() == 'E' && u.rollback(ctx) != nil {
		return false
	}
	if tx != nil {
		tx.begun = false
	}
	return u.status() == 'I'
}

// refreshMembership makes the server process replace its cached list of memberships. It asks about
// the public role, which is a member of no role and whose list the process then caches instead.
func (u *unitOfWork) refreshMembership(ctx context.Context) error {
	roles := &u.db.cfg.Roles
	names := [][]byte{[]byte(roles.Public()), []byte(roles.Runtime())}
	privilege := "member"
	if postgres.Version(u.conn.PgConn()) >= 16 {
		privilege = "set" // from version 16 on there is a separate list for "set"
	}
	sql := "select pg_has_role($1::name, $2::name, '" + privilege + "')"
	return u.conn.PgConn().ExecParams(ctx, sql, names, nil, nil, nil).Read().Err
}
