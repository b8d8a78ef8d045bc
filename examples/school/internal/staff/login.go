package staff

import (
	"context"
	"errors"

	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/platformuser"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// Credentials are the input of a login.
type Credentials struct {
	Email, Password, Code string
	Caller                string // the client's address
}

// LogIn checks the credentials and returns the token of a new session, which is valid only on the
// site of ctx. It returns [ErrRefused], [ErrThrottled], or an error of the database.
func (s *Staff) LogIn(ctx context.Context, c Credentials) (string, platformuser.User, error) {
	user, err := s.identify(ctx, c)
	if err != nil {
		if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrThrottled) {
			return "", user, err
		}
		if s.cfg.LoginFailed != nil {
			s.cfg.LoginFailed(ctx)
		}
		address, bad := platformuser.NormalizeEmail(c.Email)
		if bad != nil {
			address = "" // it may be a password in the wrong field, which must not be in a log
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

// identify checks the credentials and returns the user. It takes the same time for every address:
// for an unknown user it compares the password with an empty hash and the code with a random
// secret.
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
	fresh, err := s.use(ctx, user.ID, step)
	if err == nil && !fresh {
		err = ErrRefused
	}
	return user, err
}

// find returns the user with the address, or the zero user for an unknown address.
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

// guesses limits login attempts per client and per address: five per minute, and ten at once. It
// stops attempts on many addresses from one client, and on one address from many clients.
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
