package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/tenancy/platformuser"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Cookie is what a session is called in the browser.
const Cookie = "staff"

// A session ends after a working day, and when nobody has used it for an hour.
const (
	SessionTTL = 12 * time.Hour
	idleTTL    = time.Hour
)

// maxLookups bounds the tokens of a request that are looked up in the database: those that were
// signed here, for this site. A browser has one; others can be set in front of it by anybody who
// can set a cookie, and cost no more than to see that they are none.
const maxLookups = 4

// begin makes a session. What the browser gets is signed for its site, and the database keeps a
// hash: neither a copy of the one nor the key of the other is enough to make up a session.
func (s *Staff) begin(ctx context.Context, user platformuser.User) (string, error) {
	id := rand.Text()
	_, err := s.cfg.Owner.Exec(ctx, `with old as (
			delete from public.staff_sessions where created_at < now() - $3::interval or seen_at < now() - $4::interval
		)
		insert into public.staff_sessions (hash, user_id) values ($1, $2)`, hashOf(id), user.ID, SessionTTL, idleTTL)
	if err != nil {
		return "", err
	}
	return s.cfg.Signer.BindSession(ctx, id, SessionTTL)
}

// Session returns whose session one of the tokens is. The error is [ErrRefused],
// [tenanttoken.ErrForeignTenant] for a session of another site, or one of the database.
func (s *Staff) Session(ctx context.Context, tokens []string) (platformuser.User, error) {
	ids, refused := s.open(ctx, tokens)
	for _, id := range ids {
		user, err := s.seen(ctx, id)
		if !errors.Is(err, ErrRefused) {
			return user, err
		}
	}
	return platformuser.User{}, refused
}

// open returns the sessions of the tokens that were signed for the site of ctx, and what is to be
// said where none of them is good.
func (s *Staff) open(ctx context.Context, tokens []string) (ids []string, refused error) {
	refused = ErrRefused
	for _, token := range tokens {
		id, err := s.cfg.Signer.OpenSession(ctx, token)
		switch {
		case errors.Is(err, tenanttoken.ErrForeignTenant):
			refused = tenanttoken.ErrForeignTenant
		case err == nil && len(ids) < maxLookups:
			ids = append(ids, id)
		}
	}
	return ids, refused
}

// seen keeps a session from being idle. That it was used is noted once a minute: a page is no
// reason to write.
func (s *Staff) seen(ctx context.Context, id string) (platformuser.User, error) {
	var user int64
	err := s.cfg.Owner.QueryRow(ctx, `with live as (
			select hash, user_id, seen_at from public.staff_sessions
			where hash = $1 and created_at > now() - $2::interval and seen_at > now() - $3::interval
		), noted as (
			update public.staff_sessions s set seen_at = now() from live
			where s.hash = live.hash and live.seen_at < now() - interval '1 minute'
		)
		select user_id from live`, hashOf(id), SessionTTL, idleTTL).Scan(&user)
	if errors.Is(err, pgx.ErrNoRows) {
		return platformuser.User{}, ErrRefused
	}
	if err != nil {
		return platformuser.User{}, err
	}
	found, err := s.users.ByID(ctx, user)
	if errors.Is(err, platformuser.ErrNotFound) || err == nil && found.Disabled() {
		return platformuser.User{}, ErrRefused
	}
	return found, err
}

// LogOut ends the sessions of the tokens: whoever has a copy of one has nothing.
func (s *Staff) LogOut(ctx context.Context, tokens []string) error {
	ids, _ := s.open(ctx, tokens)
	for _, id := range ids {
		if _, err := s.cfg.Owner.Exec(ctx, "delete from public.staff_sessions where hash = $1", hashOf(id)); err != nil {
			return err
		}
	}
	return nil
}

func hashOf(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:]
}
