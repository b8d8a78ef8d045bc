package tenanttoken

import (
	"context"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// BindSession returns a token for session, which is a session's ID or any value. The token is valid
// for the site of ctx alone: its tenant, or the public site. It expires after ttl. With ttl 0 it
// never expires, and the program's store of sessions decides. The error is [ErrNoTenant] for a
// context of neither site, or a [tenancy.FieldError] for a negative ttl.
//
// The token is signed and not encrypted. It is the value of the cookie.
func (s *Signer) BindSession(ctx context.Context, session string, ttl time.Duration) (string, error) {
	tenant, err := siteID(ctx)
	if err != nil {
		return "", fmt.Errorf("bind session: %w", err)
	}
	expires, err := expiry(ttl)
	if err != nil {
		return "", err
	}
	return s.Sign(Token{Purpose: PurposeSession, Tenant: tenant, Value: session, Expires: expires})
}

// OpenSession returns the session of a token that [Signer.BindSession] has made for the site of
// ctx. A token of another tenant or the other kind of site is [ErrForeignTenant], a context of
// neither site [ErrNoTenant]; other errors are those of [Signer.Verify].
func (s *Signer) OpenSession(ctx context.Context, token string) (string, error) {
	tenant, err := siteID(ctx)
	if err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	t, err := s.Verify(PurposeSession, token)
	if err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	if t.Tenant != tenant {
		return "", fmt.Errorf("open session: %w", ErrForeignTenant)
	}
	return t.Value, nil
}

// siteID returns the ID of the tenant of ctx, or 0 for the public site.
func siteID(ctx context.Context) (int64, error) {
	t, ok := tenancy.FromContext(ctx)
	switch {
	case !ok && tenancy.IsPublic(ctx):
		return 0, nil
	case !ok:
		return 0, ErrNoTenant
	case t.ID <= 0: // not from the registry: its tokens would be valid on the public site, too
		return 0, fmt.Errorf("%w: tenant %q has no ID", ErrNoTenant, t.Slug)
	}
	return t.ID, nil
}

// expiry returns the time in ttl from now, or the zero time for ttl 0.
func expiry(ttl time.Duration) (time.Time, error) {
	switch {
	case ttl < 0:
		return time.Time{}, &tenancy.FieldError{Field: "ttl", Value: ttl.String(), Rule: "is negative"}
	case ttl == 0:
		return time.Time{}, nil
	}
	return time.Now().Add(ttl), nil
}
