package erp

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// Users stores the users of the school of the context. It is safe for concurrent use if its
// [Querier] is.
type Users struct{ table[User] }

// NewUsers returns the store of users on db.
func NewUsers(db Querier) Users {
	return Users{table[User]{db: db, entity: userEntity, columns: always(userColumns)}}
}

// userColumns are the columns of [User], in the order of its fields.
const userColumns = "users.id, users.email, users.name, users.role, users.disabled_at, users.created_at, " +
	"users.updated_at"

// newGeneration is a generation that the user has never had, even if a backup was restored
// meanwhile, and that no earlier user with the same id has had.
const newGeneration = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"

// UserFilter limits a list of users. The zero value does not limit it.
type UserFilter struct {
	Role   Role
	Search string // a part of the name or the address, case-insensitive
}

func (f UserFilter) filter(access) (where filter) {
	where.text("users.role = @role", "role", string(f.Role))
	where.search("users.name || ' ' || users.email", f.Search)
	return where
}

// List returns a page of users by id, and the After of the next page, or 0 if there is none.
func (u Users) List(ctx context.Context, f UserFilter, page Page) ([]User, int64, error) {
	return u.list(ctx, page, f.filter)
}

// Get returns a user, or [ErrNotFound].
func (u Users) Get(ctx context.Context, id int64) (User, error) { return u.get(ctx, id) }

// Create adds a user. If another user has the address, the error is an [InputError] with Conflict.
func (u Users) Create(ctx context.Context, n NewUser) (User, error) {
	a, err := mayChange(ctx, u.entity)
	if err != nil {
		return User{}, u.failed("create", err)
	}
	if n, err = n.normal(); err != nil {
		return User{}, err
	}
	return u.one(ctx, "create", a, `
		insert into users (email, name, role, disabled_at, session_generation)
		select @email, @name, @role, case when @disabled then now() end, `+newGeneration+` where `+a.session()+`
		returning `+userColumns, n.args())
}

// Update replaces the fields of a user with n, and returns the user. It ends the sessions of a user
// who gets another role or is disabled. Viewers cannot disable themselves or give up the role
// admin, so that a school always has an admin: that is an [InputError] with Conflict.
func (u Users) Update(ctx context.Context, id int64, version Version, n NewUser) (User, error) {
	a, err := mayChange(ctx, u.entity)
	if err != nil {
		return User{}, u.failed("update", err)
	}
	if n, err = n.normal(); err != nil {
		return User{}, err
	}
	if id == a.viewer.UserID && (n.Role != RoleAdmin || n.Disabled) {
		return User{}, errYourself
	}
	return u.changed(ctx, "update", a, id, version, `
		update users set email = @email, name = @name, role = @role,
			disabled_at = case when @disabled then coalesce(disabled_at, now()) end,
			session_generation = case when role = @role and (disabled_at is not null) = @disabled
				then session_generation else `+newGeneration+` end,
			`+touch("users")+`
		where `+u.target(a, version)+`
		returning `+userColumns, n.args())
}

func (n NewUser) args() pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"email": n.Email, "name": n.Name, "role": n.Role, "disabled": n.Disabled}
}

var errYourself = &InputError{
	Fields: []FieldError{{"id", "is you: another admin has to do this"}}, Conflict: true,
}

// Delete deletes a user. If the user is a student, a teacher, a parent or the viewer, the error is
// an [InputError] with Conflict.
func (u Users) Delete(ctx context.Context, id int64, version Version) error {
	if v, ok := ViewerFromContext(ctx); ok && v.UserID == id {
		return errYourself
	}
	return u.delete(ctx, id, version, "")
}

// SetPassword sets the password of a user, see [HashPassword], and ends the user's sessions.
func (u Users) SetPassword(ctx context.Context, id int64, password string) error {
	a, err := mayChange(ctx, u.entity)
	if err != nil {
		return u.failed("set password of", err)
	}
	hash, err := HashPassword(ctx, password)
	if err != nil {
		return err
	}
	_, err = u.one(ctx, "set password of", a, `
		update users set password_hash = @password_hash, session_generation = `+newGeneration+`
		where `+u.target(a, AnyVersion)+`
		returning `+userColumns, pgx.StrictNamedArgs{"id": id, "password_hash": hash.Reveal()})
	return err
}

// Viewer returns a user as a viewer, for work that the program does for that user, such as a job.
// The viewer is valid as long as a session of the user: until the user logs out or is disabled. For
// a disabled user the error is [ErrNotFound].
func (u Users) Viewer(ctx context.Context, id int64) (Viewer, error) {
	a, err := mayRead(ctx, u.entity)
	if err != nil {
		return Viewer{}, u.failed("act for", err)
	}
	found, err := collect(ctx, u.db, a, scanAccount, `
		select id, role, session_generation, '' from users
		where disabled_at is null and `+u.target(a, AnyVersion), pgx.StrictNamedArgs{"id": id})
	if err == nil && len(found) == 0 {
		if err = u.checkSession(ctx, a.viewer); err == nil {
			err = ErrNotFound
		}
	}
	if err != nil {
		return Viewer{}, u.failed("act for", err)
	}
	return found[0].viewer, nil
}

// account is the user of a login, as a viewer, and the hash to verify the password with.
type account struct {
	viewer Viewer
	hash   platformuser.PasswordHash
}

// account returns the user with an address as a viewer. If no user with the address may log in, the
// hash is empty, and no password matches it. account needs no viewer: a login has none yet.
func (u Users) account(ctx context.Context, email string) (a account, err error) {
	rows, err := u.db.Query(ctx, `
		select id, role, session_generation, coalesce(password_hash, '') from users
		where lower(email) = @email and disabled_at is null`, pgx.StrictNamedArgs{"email": email})
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
	a.hash = platformuser.NewPasswordHash(hash)
	return a, err
}
