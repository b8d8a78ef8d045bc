package platformuser

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/registrydb"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// Store reads and changes the platform's own users. Each method runs one statement, which ctx
// governs; [Store.Update] runs a second one after a conflict. All return
// [tenancy.ErrNotInitialized] where there is no registry. A Store is safe for concurrent use.
type Store struct {
	db tenancy.Querier
}

// New returns the users of the registry that owner reaches, in the schema public. owner is a pool
// logged in as the owner role of [admin.Setup]. The runtime login may not read users.
func New(owner tenancy.Querier) *Store {
	return &Store{db: registrydb.Schema{}.Reader(owner)}
}

// InSchema returns the users of the registry in another schema than public, see RegistrySchema of
// [tenancy.Config]. An empty name is public. The error is a [schemactx.NameError].
func (u *Store) InSchema(schema string) (*Store, error) {
	s, err := registrydb.Parse(schema)
	if err != nil {
		return nil, fmt.Errorf("registry's schema: %w", err)
	}
	return &Store{db: s.Reader(u.db)}, nil
}

// Create inserts a user and returns it. The error is a [tenancy.FieldError] for refused input, or
// [ErrEmailTaken].
func (u *Store) Create(ctx context.Context, p CreateParams) (User, error) {
	p, err := p.validate()
	if err != nil {
		return User{}, err
	}
	user, err := u.one(
		ctx,
		"insert into {registry}.platform_users as u (email, name, password_hash) values ($1, $2, $3) returning "+
			userColumns,
		p.Email,
		p.Name,
		p.PasswordHash.Reveal(),
	)
	if err != nil {
		return User{}, fmt.Errorf("create user %q: %w", p.Email, err)
	}
	return user, nil
}

// ByEmail returns the user of that address, in upper or lower case, or [ErrNotFound]. A disabled
// user has no hash.
func (u *Store) ByEmail(ctx context.Context, email string) (User, error) {
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

// ByID returns the user of that id, or [ErrNotFound]. A disabled user has no hash.
func (u *Store) ByID(ctx context.Context, id int64) (User, error) {
	user, err := u.one(ctx, "select "+userColumns+" from {registry}.platform_users u where u.id = $1", id)
	if err != nil {
		return User{}, fmt.Errorf("look up user %d: %w", id, err)
	}
	return user, nil
}

// List returns a page of users by id, disabled ones included. The error is a [tenancy.FieldError]
// for a wrong filter.
func (u *Store) List(ctx context.Context, f Filter) (Page, error) {
	f, err := f.validate()
	if err != nil {
		return Page{}, err
	}
	// One row more than the limit shows whether there is a next page.
	rows, err := u.db.Query(schemactx.NewPublicContext(ctx),
		"select "+userColumns+" from {registry}.platform_users u where u.id > $1 order by u.id limit $2", f.After, f.Limit+1)
	if err != nil {
		return Page{}, fmt.Errorf("list users: %w", registrydb.Initialized(err))
	}
	users, err := pgx.CollectRows(rows, scanUser)
	if err != nil {
		return Page{}, fmt.Errorf("list users: %w", registrydb.Initialized(err))
	}
	page := Page{Users: users}
	if len(users) > f.Limit {
		page.Users = users[:f.Limit]
		page.Next = page.Users[f.Limit-1].ID
	}
	return page, nil
}

// Update changes a user that the caller has read, if the row still has the Version that was read,
// and returns the user as it is then. The error is a [tenancy.FieldError], [ErrEmailTaken],
// [ErrNotFound], or a [ConflictError], which has the user as it is now. With an error nothing was
// changed.
func (u *Store) Update(ctx context.Context, read User, c Changes) (User, error) {
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
	if errors.Is(err, ErrNotFound) {
		current, err := u.ByID(ctx, read.ID)
		if err != nil {
			return User{}, err
		}
		return current, &ConflictError{Current: current, Version: read.Version}
	}
	if err != nil {
		return User{}, fmt.Errorf("update user %d: %w", read.ID, err)
	}
	return user, nil
}

// Disable disables a user, which is read without its hash from then on. A user that is disabled
// already keeps its time. The program has to end the user's sessions.
func (u *Store) Disable(ctx context.Context, id int64) (User, error) {
	return u.set(ctx, "disable", "disabled_at = coalesce(disabled_at, now())", id)
}

// Enable enables a user, with the password from before. A user that is not disabled stays as it is.
func (u *Store) Enable(ctx context.Context, id int64) (User, error) {
	return u.set(ctx, "enable", "disabled_at = null", id)
}

func (u *Store) set(ctx context.Context, verb, set string, id int64) (User, error) {
	user, err := u.one(ctx, "update {registry}.platform_users u set "+set+" where id = $1 returning "+userColumns, id)
	if err != nil {
		return User{}, fmt.Errorf("%s user %d: %w", verb, id, err)
	}
	return user, nil
}

// Delete removes a user, or returns [ErrNotFound]. Ids are never reused, so that ids in logs
// stay unambiguous.
func (u *Store) Delete(ctx context.Context, id int64) error {
	if _, err := u.one(
		ctx,
		"delete from {registry}.platform_users u where id = $1 returning "+userColumns,
		id,
	); err != nil {
		return fmt.Errorf("delete user %d: %w", id, err)
	}
	return nil
}

func (u *Store) one(ctx context.Context, sql string, args ...any) (User, error) {
	rows, err := u.db.Query(schemactx.NewPublicContext(ctx), sql, args...)
	if err != nil {
		return User{}, registrydb.Initialized(err)
	}
	user, err := pgx.CollectExactlyOneRow(rows, scanUser)
	var pgErr *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return User{}, ErrNotFound
	case errors.As(err, &pgErr) && pgErr.ConstraintName == "platform_users_email_key":
		return User{}, ErrEmailTaken
	case err != nil:
		return User{}, registrydb.Initialized(withoutRow(err))
	}
	return user, nil
}

// withoutRow returns err without the server's detail, which quotes the row and so the hash. A
// program may log the error.
func withoutRow(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	bare := *pgErr
	bare.Detail, bare.Where = "", ""
	return &bare
}
