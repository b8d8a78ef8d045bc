package staff

import (
	"context"
	"crypto/cipher"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// Config says what [Staff] works with.
type Config struct {
	Owner       *pgxpool.Pool   // reads the platform's users. Required
	Key         []byte          // encrypts the secrets of one-time codes: 32 random bytes. Required
	Signer      *tenancy.Signer // signs sessions. Required
	Log         *audit.Log      // is told who came in, and who did not. Required
	LoginFailed func(ctx context.Context)
}

// Staff is who may use the console. It is safe for concurrent use; ctx governs the queries.
type Staff struct {
	cfg    Config
	users  *tenancy.Users
	sealed cipher.AEAD
	tries  *ratelimit.Buckets
	now    func() time.Time
}

// New returns the platform's staff.
func New(cfg Config) (*Staff, error) {
	sealed, err := newSeal(cfg.Key)
	if err != nil {
		return nil, err
	}
	tries, err := ratelimit.NewBuckets(ratelimit.BucketsConfig{})
	if err != nil {
		return nil, err
	}
	return &Staff{cfg: cfg, users: tenancy.NewUsers(cfg.Owner), sealed: sealed, tries: tries, now: time.Now}, nil
}

// The ways in which nobody comes in.
var (
	// ErrRefused is returned for whatever is wrong with a login: it does not say what.
	ErrRefused = errors.New("address, password or code is wrong")

	// ErrThrottled is returned where there were too many attempts.
	ErrThrottled = errors.New("too many attempts")

	// ErrCode is returned by [Staff.CheckCode] for a code that is wrong, or was used.
	ErrCode = errors.New("the one-time code is wrong, or was used before")
)

// Member is somebody to be let in.
type Member struct {
	Email, Name string
	Password    string
	Secret      []byte // of one-time codes, 20 random bytes
}

// Ensure makes a member of the staff who is not there yet. One who is keeps password and secret.
func (s *Staff) Ensure(ctx context.Context, m Member) error {
	user, err := s.users.ByEmail(ctx, m.Email)
	if errors.Is(err, tenancy.ErrUserNotFound) {
		var hash tenancy.PasswordHash
		if hash, err = erp.HashPassword(ctx, m.Password); err != nil {
			return err
		}
		user, err = s.users.Create(ctx, tenancy.CreateUserParams{Email: m.Email, Name: m.Name, PasswordHash: hash})
		if errors.Is(err, tenancy.ErrEmailTaken) { // another process was faster
			user, err = s.users.ByEmail(ctx, m.Email)
		}
	}
	if err != nil {
		return err
	}
	_, err = s.cfg.Owner.Exec(ctx, "insert into public.staff_codes (user_id, secret) values ($1, $2) on conflict do nothing",
		user.ID, s.seal(user.ID, m.Secret))
	return err
}

// Credentials are what somebody has typed who wants to come in, and from where.
type Credentials struct {
	Email, Password, Code string
	Caller                string // the client's address
}

// LogIn lets somebody in and returns the token of the session, for the site of ctx alone. The error is [ErrRefused], [ErrThrottled], or
// one of the database.
func (s *Staff) LogIn(ctx context.Context, c Credentials) (string, tenancy.User, error) {
	user, err := s.identify(ctx, c)
	if err != nil {
		if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrThrottled) {
			return "", user, err
		}
		s.cfg.LoginFailed(ctx)
		return "", user, errors.Join(err, s.cfg.Log.Record(ctx, failure(c, err)))
	}
	token, err := s.begin(ctx, user)
	if err != nil {
		return "", user, err
	}
	return token, user, s.cfg.Log.Write(ctx, audit.Entry{Action: audit.Login, Actor: user.Email})
}

// failure is the entry of a login that failed. What is no address is left out: it may be a password in the wrong field.
func failure(c Credentials, err error) audit.Entry {
	e := audit.Entry{Action: audit.LoginFailed, Details: map[string]any{"reason": err.Error()}}
	if address, wrong := tenancy.NormalizeEmail(c.Email); wrong == nil {
		e.Actor = address
	}
	return e
}

// identify does the same work whoever asks: a person who does not exist has a password to be compared with and a secret, too.
func (s *Staff) identify(ctx context.Context, c Credentials) (tenancy.User, error) {
	email, err := tenancy.NormalizeEmail(c.Email)
	if err != nil {
		email = ""
	}
	if err := s.throttle(ctx, "from "+c.Caller, "as "+email); err != nil {
		return tenancy.User{}, err
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
func (s *Staff) find(ctx context.Context, email string) (tenancy.User, error) {
	if email == "" {
		return tenancy.User{}, nil
	}
	user, err := s.users.ByEmail(ctx, email)
	if errors.Is(err, tenancy.ErrUserNotFound) {
		return tenancy.User{}, nil
	}
	return user, err
}

// Guesses are bounded for each caller and for each address, so that neither many addresses from one place nor one address from many
// places get far: five a minute, after ten.
var guesses = ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.PerMinute(5).WithBurst(10)}

func (s *Staff) throttle(ctx context.Context, guessers ...string) error {
	for _, who := range guessers {
		taken, err := s.tries.Take(ctx, ratelimit.Take{Caller: who, Policy: guesses, Cost: 1})
		if err != nil {
			return err
		}
		if taken.Caller.Refused || taken.Tenant.Refused {
			return ErrThrottled
		}
	}
	return nil
}

type userKey struct{}

// FromContext returns who is logged in, behind [Staff.Require].
func FromContext(ctx context.Context) (tenancy.User, bool) {
	user, ok := ctx.Value(userKey{}).(tenancy.User)
	return user, ok
}

// Require serves with next who is logged in, and everybody else with refuse. The access log has them as the actor of what they do.
func (s *Staff) Require(tokens tenancy.TokenSource, next, refuse http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := s.Session(r.Context(), tokens(r))
		switch {
		case errors.Is(err, ErrRefused):
			refuse.ServeHTTP(w, r)
			return
		case errors.Is(err, tenancy.ErrForeignTenant):
			tenancy.Refuse(w, r, tenancy.Refusal{Err: err})
			return
		case err != nil:
			tenancy.Problem{Status: http.StatusServiceUnavailable, Detail: "Nobody can be looked up just now.", RetryAfter: 5 * time.Second}.Respond(w)
			return
		}
		audit.SetActor(r.Context(), user.Email)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}
