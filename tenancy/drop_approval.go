package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
)

// ApproveDrop records that approver agrees to the drop request, and returns the request. The
// approver must not be the requester. ApproveDrop drops nothing: only the requester's token does.
// The token also allows package backup's Service.Erase, which removes the tenant's archives. A
// second approval is no error, and the first approver stays recorded.
//
// Two names belong to the same person if they differ only in case, in the number of spaces, or in
// how Unicode encodes the same characters. All other names count as different people. So the
// program must not give one person two names.
//
// The program must have authenticated approver and must have checked that this person may approve.
// The error is [ErrDropDisabled], a [FieldError], [ErrDropRequest], [ErrDropExpired] or
// [ErrSelfApproval].
func (m *Manager) ApproveDrop(ctx context.Context, requestID int64, approver string) (DropRequest, error) {
	r, err := m.approveDrop(ctx, requestID, approver)
	e := DropEvent{
		Op: OpApproveDrop, Actor: approver, Slug: r.Tenant.Slug, Tenant: r.Tenant, Schema: r.Schema, RequestID: requestID,
	}
	if err = m.outcome(ctx, e, DropApproved, err); err != nil {
		return DropRequest{}, err
	}
	return r, nil
}

func (m *Manager) approveDrop(ctx context.Context, id int64, approver string) (DropRequest, error) {
	if err := m.checkDropAllowed(approver); err != nil {
		return DropRequest{}, err
	}
	refuse := func(r DropRequest, err error) (DropRequest, error) {
		return r, fmt.Errorf("approve drop request %d: %w", id, err)
	}
	r, err := m.dropRequest(ctx, id)
	if err != nil {
		return refuse(r, err)
	}
	own, err := m.sameActor(ctx, r.Actor, approver)
	if err == nil && own {
		err = ErrSelfApproval
	}
	if err != nil {
		return refuse(r, err)
	}
	// The statement checks the conditions again, on the current row and by the server's clock.
	err = m.registry.QueryRow(ctx, `update {registry}.drop_requests
		set approved_by = case when approved_by = '' then $2 else approved_by end, approved_at = coalesce(approved_at, now())
		where id = $1 and used_at is null and expires_at > clock_timestamp() and lower(actor) <> lower($2)
			and requested_at <= clock_timestamp() + $3 * interval '1 millisecond'
		returning approved_by`, id, approver, maxSkew.Milliseconds()).Scan(&r.ApprovedBy)
	if errors.Is(err, pgx.ErrNoRows) {
		return refuse(r, ErrDropExpired)
	}
	if err != nil {
		return refuse(r, err)
	}
	return r, nil
}

// MaxActorLen is the maximum length of an actor's name, in characters. An actor requests or
// approves a drop.
const MaxActorLen = 200

// validateActor refuses an empty name, and a name that could look the same as another actor's name.
// The error is a [FieldError].
func validateActor(actor string) error {
	refuse := func(rule string) error { return &FieldError{Field: "actor", Value: actor, Rule: rule} }
	if strings.TrimSpace(actor) != actor || actor == "" {
		return refuse("is empty, or begins or ends with a space")
	}
	if err := validateText("actor", actor, MaxActorLen, "is longer than 200 characters"); err != nil {
		return err
	}
	if strings.ContainsFunc(actor, invisible) {
		return refuse("holds an invisible character or an unusual space")
	}
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }
	for word := range strings.FieldsFuncSeq(actor, between) {
		if strings.ContainsFunc(word, latin) && strings.ContainsFunc(word, likeLatin) {
			return refuse("mixes, in one word, letters of alphabets that look alike")
		}
	}
	return nil
}

// invisible reports whether r is a character that a reader cannot see. Unicode counts some of these
// as letters, marks or symbols: the Hangul fillers, the grapheme joiner, the blank Braille pattern.
func invisible(r rune) bool {
	return !unicode.IsPrint(r) || r == '\u2800' ||
		unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

func latin(r rune) bool { return unicode.Is(unicode.Latin, r) }

// likeLatin reports whether r belongs to an alphabet with letters that look like Latin ones.
func likeLatin(r rune) bool {
	return unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu)
}

// sameActor reports whether two names belong to the same person: they differ only in case, in the
// number of spaces, or in how Unicode encodes the same characters. The server normalizes the names,
// because Go's standard library cannot.
func (m *Manager) sameActor(ctx context.Context, a, b string) (bool, error) {
	a, b = strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " ")
	if strings.EqualFold(a, b) {
		return true, nil
	}
	// normalize fails in a database that is not UTF-8, even during planning. "offset 0" keeps the
	// planner from evaluating it.
	err := m.registry.QueryRow(ctx, `select case when utf8 then normalize(a, nfkc) else a end,
			case when utf8 then normalize(b, nfkc) else b end
		from (select $1::text as a, $2::text as b, pg_catalog.getdatabaseencoding() = 'UTF8' as utf8 offset 0) names`, a, b).
		Scan(&a, &b)
	return strings.EqualFold(a, b), err
}
