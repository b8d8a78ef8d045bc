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
		var hash platformuser.PasswordHash
		if hash, err = erp.HashPassword(ctx, m.Password); err != nil {
			return err
		}
		user, err = s.users.Create(ctx, platformuser.CreateParams{Email: m.Email, Name: m.Name, PasswordHash: hash})
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

// Hire is [Staff.Ensure] for a new member. It returns [platformuser.ErrEmailTaken] if the address
// is known.
func (s *Staff) Hire(ctx context.Context, m Member) error {
	_, err := s.users.ByEmail(ctx, m.Email)
	switch {
	case err == nil:
		return platformuser.ErrEmailTaken
	case !errors.Is(err, platformuser.ErrNotFound):
		return err
	}
	if err := s.Ensure(ctx, m); err != nil {
		return err
	}
	return s.cfg.Log.Write(ctx, audit.Entry{Action: audit.Configuration, Details: map[string]any{"hired": m.Email}})
}
