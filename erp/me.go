package erp

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// Me is the viewer of the context as a user: what everybody may do with their own account. It is safe for concurrent use
// if its Querier is.
type Me struct{ users table[User] }

// NewMe returns the viewer as db has it.
func NewMe(db Querier) Me { return Me{NewUsers(db).table} }

// Get returns the viewer's user. A viewer who is none is [ErrNotFound].
func (m Me) Get(ctx context.Context) (User, error) {
	s, err := own(ctx)
	if err != nil {
		return User{}, m.users.failed("get own", err)
	}
	s.add("select "+userColumns+" from users where users.id = ? and ", s.viewer.UserID)
	s.current()
	return m.users.one(ctx, "get own", s)
}

// EndSessions ends all sessions of the viewer, this one too. Where they are over already it does nothing.
func (m Me) EndSessions(ctx context.Context) error {
	s, err := own(ctx)
	if err != nil {
		return m.users.failed("end own sessions of", err)
	}
	s.add("update users set session_generation = "+newGeneration+" where users.id = ? and ", s.viewer.UserID)
	s.current()
	s.add(" returning " + userColumns)
	_, err = m.users.query(ctx, s)
	return err
}

// setPassword sets the viewer's password, if hash is still that of the old one, ends all sessions, and returns the viewer
// of those that begin now.
func (m Me) setPassword(ctx context.Context, old, hash tenancy.PasswordHash) (Viewer, error) {
	s, err := own(ctx)
	if err != nil {
		return Viewer{}, err
	}
	s.add("update users set password_hash = ?, session_generation = "+newGeneration+" where users.id = ? and password_hash = ? and ",
		hash.Reveal(), s.viewer.UserID, old.Reveal())
	s.current()
	s.add(" returning id, role, session_generation, ''")
	rows, err := m.users.db.Query(ctx, s.text.String(), s.args...)
	if err != nil {
		return Viewer{}, err
	}
	found, err := pgx.CollectRows(rows, scanAccount)
	if err == nil && len(found) == 0 {
		err = ErrSessionOver
	}
	if err != nil {
		return Viewer{}, m.users.failed("set own password of", err)
	}
	return found[0].viewer, nil
}

// rehash replaces the hash of a password by a newer one, if it is still that. Sessions go on.
func (m Me) rehash(ctx context.Context, user int64, old, hash tenancy.PasswordHash) error {
	rows, err := m.users.db.Query(ctx, "update users set password_hash = $1 where id = $2 and password_hash = $3",
		hash.Reveal(), user, old.Reveal())
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

// own begins a statement on the viewer's own user.
func own(ctx context.Context) (*statement, error) {
	viewer, ok := ViewerFromContext(ctx)
	switch {
	case !ok:
		return nil, ErrNoViewer
	case viewer.UserID == 0:
		return nil, ErrNotFound
	}
	return &statement{viewer: viewer, noun: userNoun}, nil
}
