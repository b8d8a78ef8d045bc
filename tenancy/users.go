package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
)

// Users keeps the platform's own users in the registry. Every method is one statement, which ctx governs. It is safe for
// concurrent use.
type Users struct {
	db Querier
}

// NewUsers returns the users of the registry that owner reaches: a pool logged in as the owner role of
// [admin.Setup]. The runtime login may not even read them.
func NewUsers(owner Querier) *Users {
	return &Users{db: initializedQuerier{registrydb.Schema{}.Reader(owner)}}
}

// InSchema returns the users of the registry in another schema than public, see
// [Config].RegistrySchema. An empty name is public. The error is a [schemactx.NameError].
func (u *Users) InSchema(schema string) (*Users, error) {
	s, err := registrydb.Parse(schema)
	if err != nil {
		return nil, fmt.Errorf("registry's schema: %w", err)
	}
	return &Users{db: s.Reader(u.db)}, nil
}

// Create makes a user. Refused input is a [FieldError], an address that another user has [ErrEmailTaken].
func (u *Users) Create(ctx context.Context, p CreateUserParams) (User, error) {
	p, err := p.validate()
	if err != nil {
		return User{}, err
	}
	user, err := u.one(ctx, "insert into {registry}.platform_users as u (email, name, password_hash) values ($1, $2, $3) returning "+
		userColumns, p.Email, p.Name, p.PasswordHash.Reveal())
	if err != nil {
		return User{}, fmt.Errorf("create user %q: %w", p.Email, err)
	}
	return user, nil
}

// ByEmail returns the user of that address, in whatever case, or [ErrUserNotFound]. A disabled user has no hash.
func (u *Users) ByEmail(ctx context.Context, email string) (User, error) {
	normal, err := NormalizeEmail(email)
	if err != nil {
		return User{}, err
	}
	user, err := u.one(ctx, "select "+userColumns+" from {registry}.platform_users u where lower(u.email) = $1", normal)
	if err != nil {
		return User{}, fmt.Errorf("look up user %q: %w", normal, err)
	}
	return user, nil
}

// ByID returns the user of that id, or [ErrUserNotFound]. A disabled user has no hash.
func (u *Users) ByID(ctx context.Context, id int64) (User, error) {
	user, err := u.one(ctx, "select "+userColumns+" from {registry}.platform_users u where u.id = $1", id)
	if err != nil {
		return User{}, fmt.Errorf("look up user %d: %w", id, err)
	}
	return user, nil
}

// List returns a page of users, by id, disabled ones included.
func (u *Users) List(ctx context.Context, f UserFilter) (UserPage, error) {
	f, err := f.validate()
	if err != nil {
		return UserPage{}, err
	}
	// One more than asked for tells whether there is a next page.
	rows, err := u.db.Query(schemactx.NewPublicContext(ctx),
		"select "+userColumns+" from {registry}.platform_users u where u.id > $1 order by u.id limit $2", f.After, f.Limit+1)
	if err != nil {
		return UserPage{}, fmt.Errorf("list users: %w", err)
	}
	users, err := pgx.CollectRows(rows, scanUser)
	if err != nil {
		return UserPage{}, fmt.Errorf("list users: %w", err)
	}
	page := UserPage{Users: users}
	if len(users) > f.Limit {
		page.Users = users[:f.Limit]
		page.Next = page.Users[f.Limit-1].ID
	}
	return page, nil
}

// Update changes a user that the caller has read, if it is still that one: if its Version is still the same. It returns
// the user as it is then. The error is a [FieldError], [ErrEmailTaken], [ErrUserNotFound], or a [UserConflictError] with the
// user as somebody else has left it meanwhile; nothing was changed.
func (u *Users) Update(ctx context.Context, read User, c UserChanges) (User, error) {
	c, err := c.validate()
	if err != nil {
		return User{}, err
	}
	var hash *string
	if c.PasswordHash != nil {
		revealed := c.PasswordHash.Reveal()
		hash = &revealed
	}
	user, err := u.one(ctx, `update {registry}.platform_users u set email = coalesce($3, email), name = coalesce($4, name),
		password_hash = coalesce($5, password_hash) where id = $1 and version = $2 returning `+userColumns,
		read.ID, read.Version, c.Email, c.Name, hash)
	if errors.Is(err, ErrUserNotFound) {
		current, err := u.ByID(ctx, read.ID)
		if err != nil {
			return User{}, err
		}
		return current, &UserConflictError{Current: current, Version: read.Version}
	}
	if err != nil {
		return User{}, fmt.Errorf("update user %d: %w", read.ID, err)
	}
	return user, nil
}

// Disable keeps a user from logging in: from now on it is read without its hash. One that is disabled already stays so, with
// the time at which it was. Sessions are the host program's to end.
func (u *Users) Disable(ctx context.Context, id int64) (User, error) {
	return u.set(ctx, "disable", "disabled_at = coalesce(disabled_at, now())", id)
}

// Enable lets a user log in again, with the password from before. One that is not disabled stays so.
func (u *Users) Enable(ctx context.Context, id int64) (User, error) {
	return u.set(ctx, "enable", "disabled_at = null", id)
}

func (u *Users) set(ctx context.Context, verb, set string, id int64) (User, error) {
	user, err := u.one(ctx, "update {registry}.platform_users u set "+set+" where id = $1 returning "+userColumns, id)
	if err != nil {
		return User{}, fmt.Errorf("%s user %d: %w", verb, id, err)
	}
	return user, nil
}

// Delete removes a user, or returns [ErrUserNotFound]. What logs say of its id stays true: none is given out twice.
func (u *Users) Delete(ctx context.Context, id int64) error {
	if _, err := u.one(ctx, "delete from {registry}.platform_users u where id = $1 returning "+userColumns, id); err != nil {
		return fmt.Errorf("delete user %d: %w", id, err)
	}
	return nil
}

func (u *Users) one(ctx context.Context, sql string, args ...any) (User, error) {
	rows, err := u.db.Query(schemactx.NewPublicContext(ctx), sql, args...)
	if err != nil {
		return User{}, err
	}
	user, err := pgx.CollectExactlyOneRow(rows, scanUser)
	var pgErr *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return User{}, ErrUserNotFound
	case errors.As(err, &pgErr) && pgErr.ConstraintName == "platform_users_email_key":
		return User{}, ErrEmailTaken
	case err != nil:
		return User{}, withoutRow(err)
	}
	return user, nil
}

// withoutRow takes what the server quotes of the row, and so the hash, out of its error: a program may log the whole of it.
func withoutRow(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	bare := *pgErr
	bare.Detail, bare.Where = "", ""
	return &bare
}
