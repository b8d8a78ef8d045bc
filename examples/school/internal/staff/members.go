package staff

import (
	"context"
	"errors"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// Member is a new member of the staff.
type Member struct {
	Email, Name string
	Password    string
	Secret      []byte // secret of the one-time codes, 20 random bytes
}

// Ensure adds a member of the staff if the address is unknown. An existing member keeps the
// password, and the secret if there is one.
func (s *Staff) Ensure(ctx context.Context, m Member) error {
	user, err := s.users.ByEmail(ctx, m.Email)
	if errors.Is(err, platformuser.ErrNotFound) {
		user, err = s.create(ctx, m)
		if errors.Is(err, platformuser.ErrEmailTaken) { // another process has created it
			user, err = s.users.ByEmail(ctx, m.Email)
		}
	}
	if err != nil {
		return err
	}
	_, err = s.cfg.Owner.Exec(ctx,
		"insert into public.staff_codes (user_id, secret) values ($1, $2) on conflict do nothing", user.ID,
		s.seal(user.ID, m.Secret))
	return err
}

func (s *Staff) create(ctx context.Context, m Member) (platformuser.User, error) {
	hash, err := erp.HashPassword(ctx, m.Password)
	if err != nil {
		return platformuser.User{}, err
	}
	return s.users.Create(ctx, platformuser.CreateParams{Email: m.Email, Name: m.Name, PasswordHash: hash})
}

// Dismiss disables a member of the staff. It ends the member's sessions: the next request is
// refused.
func (s *Staff) Dismiss(ctx context.Context, email string) error {
	user, err := s.users.ByEmail(ctx, email)
	if err == nil {
		_, err = s.users.Disable(ctx, user.ID)
	}
	if err != nil {
		return err
	}
	return s.cfg.Log.Write(ctx, audit.Entry{Action: audit.Configuration, Details: map[string]any{"dismissed": user.Email}})
}

// Hire adds a new member of the staff. It returns [platformuser.ErrEmailTaken] if the address is
// known, also if a concurrent Hire has just added it: then that one's password is valid.
func (s *Staff) Hire(ctx context.Context, m Member) error {
	user, err := s.create(ctx, m)
	if err != nil {
		return err
	}
	_, err = s.cfg.Owner.Exec(ctx, "insert into public.staff_codes (user_id, secret) values ($1, $2)", user.ID,
		s.seal(user.ID, m.Secret))
	if err != nil {
		return err
	}
	return s.cfg.Log.Write(ctx, audit.Entry{Action: audit.Configuration, Details: map[string]any{"hired": m.Email}})
}
