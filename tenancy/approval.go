package tenancy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ApproveDrop notes that approver, who is not who made the request, has looked at it and agrees, and
// returns it. It takes nothing on itself: only the requester's token drops. To approve again is
// no error, and the first approver stays. Names that differ in case alone are one person's.
//
// approver is who the program has authenticated, and whom it lets approve. The error is
// [ErrDropDisabled], a [FieldError], [ErrDropRequest], [ErrDropExpired] or [ErrOwnApproval].
func (m *Manager) ApproveDrop(ctx context.Context, requestID int64, approver string) (DropRequest, error) {
	r, err := m.approveDrop(ctx, requestID, approver)
	e := DropEvent{Op: OpApproveDrop, Actor: approver, Slug: r.Tenant.Slug, Tenant: r.Tenant, Schema: r.Schema, RequestID: requestID}
	if err = m.outcome(ctx, e, DropApproved, err); err != nil {
		return DropRequest{}, err
	}
	return r, nil
}

func (m *Manager) approveDrop(ctx context.Context, id int64, approver string) (DropRequest, error) {
	if err := m.mayDrop(approver); err != nil {
		return DropRequest{}, err
	}
	refuse := func(r DropRequest, err error) (DropRequest, error) {
		return r, fmt.Errorf("approve drop request %d: %w", id, err)
	}
	r, err := m.dropRequest(ctx, id)
	if err != nil {
		return refuse(r, err)
	}
	if strings.EqualFold(r.Actor, approver) {
		return refuse(r, ErrOwnApproval)
	}
	// The condition is asked again, of the row and by the server's clock.
	err = m.registry.QueryRow(ctx, `update {registry}.drop_requests
		set approved_by = case when approved_by = '' then $2 else approved_by end, approved_at = coalesce(approved_at, now())
		where id = $1 and used_at is null and expires_at > clock_timestamp() and lower(actor) <> lower($2)
		returning approved_by`, id, approver).Scan(&r.ApprovedBy)
	if errors.Is(err, pgx.ErrNoRows) {
		return refuse(r, ErrDropExpired)
	}
	if err != nil {
		return refuse(r, err)
	}
	return r, nil
}
