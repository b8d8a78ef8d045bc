package staff

import (
	"context"
	"crypto/cipher"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/platformuser"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Config configures [Staff]. The fields are required, except LoginFailed.
type Config struct {
	Owner  *pgxpool.Pool       // reads the platform's users
	Key    []byte              // encrypts the secrets of one-time codes: 32 random bytes
	Signer *tenanttoken.Signer // signs sessions
	Log    *audit.Log          // records logins and failed logins

	// LoginFailed, if not nil, is called for each refused or throttled login.
	LoginFailed func(ctx context.Context)
}

// Staff authenticates the users of the console. It is safe for concurrent use; ctx governs the
// queries.
type Staff struct {
	cfg    Config
	users  *platformuser.Store
	sealed cipher.AEAD
	tries  *ratelimit.Buckets
	now    func() time.Time
}

// New returns a Staff. It returns an error if the key is invalid or a required field is not set.
func New(cfg Config) (*Staff, error) {
	if cfg.Owner == nil || cfg.Signer == nil || cfg.Log == nil {
		return nil, errors.New("staff: Config.Owner, Signer and Log are required")
	}
	sealed, err := newSeal(cfg.Key)
	if err != nil {
		return nil, err
	}
	tries, err := ratelimit.NewBuckets(ratelimit.BucketsConfig{})
	if err != nil {
		return nil, err
	}
	return &Staff{cfg: cfg, users: platformuser.New(cfg.Owner), sealed: sealed, tries: tries, now: time.Now}, nil
}

// Errors of a refused login or code.
var (
	// ErrRefused is returned for any refused login. It does not say what was wrong.
	ErrRefused = errors.New("address, password or code is wrong")

	// ErrThrottled is returned after too many attempts.
	ErrThrottled = errors.New("too many attempts")

	// ErrCode is returned by [Staff.CheckCode] for a code that is wrong or was used before.
	ErrCode = errors.New("the one-time code is wrong, or was used before")
)

type userKey struct{}

// FromContext returns the logged-in staff member of a request that [Staff.Require] has accepted.
func FromContext(ctx context.Context) (platformuser.User, bool) {
	user, ok := ctx.Value(userKey{}).(platformuser.User)
	return user, ok
}

// Require serves a request of a logged-in staff member with next, and other requests with refuse.
// It sets the member as the actor in the access log. A session of another site is refused here.
func (s *Staff) Require(tokens tenanthttp.TokenSource, next, refuse http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := s.Session(r.Context(), tokens(r))
		switch {
		case errors.Is(err, ErrRefused):
			refuse.ServeHTTP(w, r)
			return
		case errors.Is(err, tenanttoken.ErrForeignTenant):
			tenanthttp.Refuse(w, r, tenanthttp.Refusal{Err: err})
			return
		case err != nil:
			tenanthttp.Problem{
				Status:     http.StatusServiceUnavailable,
				Detail:     "Staff accounts cannot be read now. Try again soon.",
				RetryAfter: 5 * time.Second,
			}.Respond(w)
			return
		}
		audit.SetActor(r.Context(), user.Email)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}
