package tenancy

import (
	"context"
	"errors"
	"fmt"

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
