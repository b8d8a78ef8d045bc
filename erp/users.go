package erp

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy"
)

// Users are the users of the school of the context. It is safe for concurrent use if its Querier is.
type Users struct{ table[User] }

// NewUsers returns the users that db reaches.
func NewUsers(db Querier) Users {
	return Users{table[User]{db: db, noun: userNoun, columns: userColumns}}
}

// userColumns are those of [User], in its order.
const userColumns = "users.id, users.email, users.name, users.role, users.disabled_at, users.created_at, users.updated_at"

// newGeneration is one that the user never had, also where a backup was restored meanwhile, nor anybody who had the id before that.
const newGeneration = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"

// UserFilter narrows a list of users down. Its zero value does not.
type UserFilter struct {
	Role   Role
	Search string // a part of the name or the address, in any case
}

func (f UserFilter) conditions() (c conditions) {
	c.is("users.role = ?", string(f.Role))
	c.search("users.name || ' ' || users.email", f.Search)
	return c
}

// List returns the users of a page by id, and the After of the next page, or 0 when there is none.
func (u Users) List(ctx context.Context, f UserFilter, page Page) ([]User, int64, error) {
	return u.list(ctx, page, f.conditions())
}

// Get returns a user, or [ErrNotFound].
func (u Users) Get(ctx context.Context, id int64) (User, error) { return u.get(ctx, id) }

// Create adds a user. An address that another user has is an [InputError] with Conflict.
func (u Users) Create(ctx context.Context, n NewUser) (User, error) {
	insert, err := changing(ctx, u.noun)
	if err != nil {
		return User{}, u.failed("create", err)
	}
	if n, err = n.normal(); err != nil {
		return User{}, err
	}
	insert.add("insert into users (email, name, role, disabled_at, session_generation) select ?, ?, ?, case when ? then now() end, "+newGeneration+" where ",
		n.Email, n.Name, n.Role, n.Disabled)
	insert.current()
	insert.add(" returning " + u.columns)
	return u.one(ctx, "create", insert)
}

// Update makes a user what n says. The sessions of one who gets another role or is disabled are over. Nobody can take
// the administration from themself, so that a school is not left without.
func (u Users) Update(ctx context.Context, id int64, version Version, n NewUser) (User, error) {
	update, err := changing(ctx, u.noun)
	if err != nil {
		return User{}, u.failed("update", err)
	}
	if n, err = n.normal(); err != nil {
		return User{}, err
	}
	if id == update.viewer.UserID && (n.Role != RoleAdmin || n.Disabled) {
		return User{}, errYourself
	}
	update.add("update users set email = ?, name = ?, ", n.Email, n.Name)
	update.add("session_generation = case when role = ? and (disabled_at is not null) = ? then session_generation else "+newGeneration+" end, ",
		n.Role, n.Disabled)
	update.add("role = ?, disabled_at = case when ? then coalesce(disabled_at, now()) end, ", n.Role, n.Disabled)
	update.add(touch(u.noun.table) + " where ")
	u.at(update, id, version)
	update.add(" returning " + u.columns)
	return u.changed(ctx, "update", id, update)
}

var errYourself = &InputError{Fields: []FieldError{{"id", "is you: another admin has to do this"}}, Conflict: true}

// Delete deletes a user. One who is a student, a teacher or a parent is an [InputError] with Conflict, as is the viewer.
func (u Users) Delete(ctx context.Context, id int64, version Version) error {
	if v, ok := ViewerFromContext(ctx); ok && v.UserID == id {
		return errYourself
	}
	return u.delete(ctx, id, version)
}

// SetPassword sets the password of a user, see [HashPassword], and ends their sessions.
func (u Users) SetPassword(ctx context.Context, id int64, password string) error {
	update, err := changing(ctx, u.noun)
	if err != nil {
		return u.failed("set password of", err)
	}
	hash, err := HashPassword(ctx, password)
	if err != nil {
		return err
	}
	update.add("update users set password_hash = ?, session_generation = "+newGeneration+" where ", hash.Reveal())
	u.at(update, id, AnyVersion)
	update.add(" returning " + u.columns)
	_, err = u.one(ctx, "set password of", update)
	return err
}

// Viewer returns a user as a viewer, for what the program does on their behalf, such as a job. It ends as a session does:
// when the user logs out, or is disabled, which is [ErrNotFound] here.
func (u Users) Viewer(ctx context.Context, id int64) (Viewer, error) {
	s, err := reading(ctx, u.noun)
	if err != nil {
		return Viewer{}, u.failed("act for", err)
	}
	s.add("select id, role, session_generation, '' from users where users.id = ? and disabled_at is null", id)
	s.visible()
	rows, err := u.db.Query(ctx, s.text.String(), s.args...)
	if err != nil {
		return Viewer{}, u.failed("act for", err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanAccount)
	if errors.Is(err, pgx.ErrNoRows) {
		if err = u.stillCurrent(ctx, s.viewer); err == nil {
			err = ErrNotFound
		}
	}
	if err != nil {
		return Viewer{}, u.failed("act for", err)
	}
	return a.viewer, nil
}

// account is what a login is checked against.
type account struct {
	viewer Viewer
	hash   tenancy.PasswordHash
}

// account returns the user of an address as a viewer. Where there is none who may log in, the hash is empty, which no
// password fits. It is asked before there is a viewer.
func (u Users) account(ctx context.Context, email string) (a account, err error) {
	rows, err := u.db.Query(ctx, `select id, role, session_generation, coalesce(password_hash, '')
		from users where lower(email) = $1 and disabled_at is null`, email)
	if err != nil {
		return a, u.failed("find", err)
	}
	a, err = pgx.CollectExactlyOneRow(rows, scanAccount)
	if errors.Is(err, pgx.ErrNoRows) {
		return account{}, nil
	}
	return a, err
}

func scanAccount(row pgx.CollectableRow) (a account, err error) {
	var hash string
	err = row.Scan(&a.viewer.UserID, &a.viewer.Role, &a.viewer.Generation, &hash)
	a.hash = tenancy.NewPasswordHash(hash)
	return a, err
}
