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

// Cookie is the name of the session cookie.
const Cookie = "staff"

// A session ends after a working day, or when it was not used for an hour.
const (
	SessionTTL = 12 * time.Hour
	idleTTL    = time.Hour
)

// maxLookups bounds the tokens of a request that are looked up in the database, after their
// signature and site are checked. A browser has one such token. A client that can set cookies can
// add others, but without a signature for this site they cost no query.
const maxLookups = 4

// begin creates a session. The token is signed for its site, and the database keeps a hash of the
// id. Neither a copy of the database nor the signing key is enough to forge a session.
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

// Session returns the user of the first valid session among the tokens. It returns [ErrRefused],
// [tenanttoken.ErrForeignTenant] for a session of another site, or an error of the database.
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

// open returns the session ids of the tokens that were signed for the site of ctx, and the error to
// return if none of them is valid.
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

// seen returns the user of a live session and records that it was used. It records that at most
// once a minute, so that most requests do not write.
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

// LogOut deletes the sessions of the tokens, so that copies of a token are invalid as well.
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
