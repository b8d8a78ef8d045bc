package erp

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// Me is the user of the viewer of the context: what every user may do with their own account. It is
// safe for concurrent use if its [Querier] is.
type Me struct{ users table[User] }

// NewMe returns the viewer's own account on db.
func NewMe(db Querier) Me { return Me{NewUsers(db).table} }

// Get returns the viewer's user. If the viewer has none, the error is [ErrNotFound].
func (m Me) Get(ctx context.Context) (User, error) {
	a, err := ownAccess(ctx)
	if err != nil {
		return User{}, m.users.failed("get own", err)
	}
	return m.users.one(ctx, "get own", a, "select "+userColumns+
		" from users where users.id = @viewer_id and "+a.session(), pgx.StrictNamedArgs{})
}

// EndSessions ends all sessions of the viewer, the current one too. If they are over, it does
// nothing.
func (m Me) EndSessions(ctx context.Context) error {
	a, err := ownAccess(ctx)
	if err != nil {
		return m.users.failed("end own sessions of", err)
	}
	_, err = m.users.query(ctx, a, `
		update users set session_generation = `+newGeneration+`
		where users.id = @viewer_id and `+a.session()+`
		returning `+userColumns, pgx.StrictNamedArgs{})
	return err
}

// setPassword sets the viewer's password if old is still the current hash, and ends all sessions.
// It returns the viewer of the sessions that begin afterwards.
func (m Me) setPassword(ctx context.Context, old, hash platformuser.PasswordHash) (Viewer, error) {
	a, err := ownAccess(ctx)
	if err != nil {
		return Viewer{}, err
	}
	found, err := collect(ctx, m.users.db, a, scanAccount, `
		update users set password_hash = @password_hash, session_generation = `+newGeneration+`
		where users.id = @viewer_id and password_hash = @old_hash and `+a.session()+`
		returning id, role, session_generation, ''`,
		pgx.StrictNamedArgs{"password_hash": hash.Reveal(), "old_hash": old.Reveal()})
	if err == nil && len(found) == 0 {
		err = ErrSessionOver
	}
	if err != nil {
		return Viewer{}, m.users.failed("set own password of", err)
	}
	return found[0].viewer, nil
}

// rehash replaces the hash of a password by a newer hash, if old is still the current one. Sessions
// go on.
func (m Me) rehash(ctx context.Context, user int64, old, hash platformuser.PasswordHash) error {
	rows, err := m.users.db.Query(ctx, `
		update users set password_hash = @password_hash where id = @id and password_hash = @old_hash`,
		pgx.StrictNamedArgs{"id": user, "password_hash": hash.Reveal(), "old_hash": old.Reveal()})
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

// ownAccess returns the access of the viewer to their own user. Every role has it.
func ownAccess(ctx context.Context) (access, error) {
	viewer, ok := ViewerFromContext(ctx)
	switch {
	case !ok:
		return access{}, ErrNoViewer
	case viewer.UserID == 0:
		return access{}, ErrNotFound
	}
	return access{viewer: viewer, entity: userEntity}, nil
}
