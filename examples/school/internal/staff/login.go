package staff

import (
	"context"
	"errors"

	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/platformuser"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// Credentials are what somebody has typed who wants to come in, and from where.
type Credentials struct {
	Email, Password, Code string
	Caller                string // the client's address
}

// LogIn lets somebody in and returns the token of the session, for the site of ctx alone. The error
// is [ErrRefused], [ErrThrottled], or one of the database.
func (s *Staff) LogIn(ctx context.Context, c Credentials) (string, platformuser.User, error) {
	user, err := s.identify(ctx, c)
	if err != nil {
		if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrThrottled) {
			return "", user, err
		}
		s.cfg.LoginFailed(ctx)
		address, bad := platformuser.NormalizeEmail(c.Email)
		if bad != nil {
			address = "" // it may be a password in the wrong field, which is not to be in a log
		}
		return "", user, errors.Join(err, s.cfg.Log.Record(ctx, audit.Entry{
			Action: audit.LoginFailed, Actor: address, Details: map[string]any{"reason": err.Error()},
		}))
	}
	token, err := s.begin(ctx, user)
	if err != nil {
		return "", user, err
	}
	audit.SetActor(ctx, user.Email)
	return token, user, s.cfg.Log.Write(ctx, audit.Entry{Action: audit.Login, Actor: user.Email})
}

// identify does the same work whoever asks: a person who does not exist has a password to be
// compared with and a secret, too.
func (s *Staff) identify(ctx context.Context, c Credentials) (platformuser.User, error) {
	email, err := platformuser.NormalizeEmail(c.Email)
	if err != nil {
		email = ""
	}
	if err := s.throttle(ctx, "from "+c.Caller, "as "+email); err != nil {
		return platformuser.User{}, err
	}
	user, err := s.find(ctx, email)
	if err != nil {
		return user, err
	}
	known, err := passwordFits(ctx, user.PasswordHash, c.Password)
	if err != nil {
		return user, err
	}
	step, err := s.step(ctx, user.ID, c.Code)
	if err != nil {
		return user, err
	}
	if !known || step == 0 {
		return user, ErrRefused
	}
	if fresh, err := s.use(ctx, user.ID, step); err != nil || !fresh {
		return user, errors.Join(err, ErrRefused)
	}
	return user, nil
}

// find returns nobody for an address that nobody has.
func (s *Staff) find(ctx context.Context, email string) (platformuser.User, error) {
	if email == "" {
		return platformuser.User{}, nil
	}
	user, err := s.users.ByEmail(ctx, email)
	if errors.Is(err, platformuser.ErrNotFound) {
		return platformuser.User{}, nil
	}
	return user, err
}

// Guesses are bounded for each caller and for each address, so that neither many addresses from one
// place nor one address from many places get far: five a minute, after ten.
var guesses = ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.PerMinute(5).WithBurst(10)}

func (s *Staff) throttle(ctx context.Context, guessers ...string) error {
	for _, who := range guessers {
		taken, err := s.tries.Allow(ctx, ratelimit.AllowRequest{Caller: who, Policy: guesses, Cost: 1})
		if err != nil {
			return err
		}
		if taken.Caller.Refused || taken.Tenant.Refused {
			return ErrThrottled
		}
	}
	return nil
}
