package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// transitions are the statuses after an operation, by the status before it. An operation in any
// other status is refused.
var transitions = map[tenancy.Op]map[tenancy.Status]tenancy.Status{
	tenancy.OpSuspend: {
		tenancy.Active: tenancy.Suspended, tenancy.Suspended: tenancy.Suspended, tenancy.Maintenance: tenancy.Suspended,
	},
	tenancy.OpActivate: {tenancy.Active: tenancy.Active, tenancy.Suspended: tenancy.Active},
	tenancy.OpStartMaintenance: {
		tenancy.Active: tenancy.Maintenance, tenancy.Maintenance: tenancy.Maintenance,
	},
	tenancy.OpEndMaintenance: {tenancy.Active: tenancy.Active, tenancy.Maintenance: tenancy.Active},
}

var statuses = []tenancy.Status{
	tenancy.Stocked, tenancy.Provisioning, tenancy.Active, tenancy.Suspended, tenancy.Maintenance, tenancy.Dropping,
}

func (f *fixture) changeStatus(ctx context.Context, op tenancy.Op, slug string) (tenancy.Tenant, error) {
	switch op {
	case tenancy.OpSuspend:
		return f.tenants.Suspend(ctx, slug, "unpaid")
	case tenancy.OpActivate:
		return f.tenants.Activate(ctx, slug)
	case tenancy.OpStartMaintenance:
		return f.tenants.StartMaintenance(ctx, slug, tenancy.MaintenanceParams{Reason: "a move"})
	case tenancy.OpEndMaintenance:
		return f.tenants.EndMaintenance(ctx, slug)
	}
	return tenancy.Tenant{}, errors.New("not an operation on the status")
}

func TestStatusTransitions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for i, op := range []tenancy.Op{
		tenancy.OpSuspend, tenancy.OpActivate, tenancy.OpStartMaintenance, tenancy.OpEndMaintenance,
	} {
		for _, from := range statuses {
			slug := fmt.Sprintf("t%d%s", i, from)
			id := f.insertTenant(t, slug, from)
			before, err := f.tenants.ByID(t.Context(), id)
			require.NoError(t, err)
			for range 2 { // the second call starts in the status that the first one led to
				got, err := f.changeStatus(t.Context(), op, slug)
				want, allowed := transitions[op][from]
				assert.Equal(t, allowed, op.Allowed(from), "status %s allows %s", from, op)
				if allowed {
					require.NoError(t, err)
					assert.Equal(t, want, got.Status, "%s of a tenant in %s", op, from)
					continue
				}
				var status *tenancy.StatusError
				if assert.ErrorAs(t, err, &status, "%s of a tenant in %s", op, from) {
					assert.Equal(t, op, status.Op)
					assert.Equal(t, slug, status.Slug)
					assert.Equal(t, from, status.Status)
					assert.ErrorIs(t, err, tenancy.ErrStatus)
				}
				after, err := f.tenants.ByID(t.Context(), id)
				require.NoError(t, err)
				assert.Equal(t, from, after.Status, "after a refused %s", op)
				assert.Equal(t, before.Version, after.Version, "after a refused %s", op)
			}
		}
	}
}

// The test calls every other operation in every status.
func TestOtherOperationsCheckStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tenants := f.manager(t, tenancy.Config{Domains: acceptAllDomains})
	name := "New"
	for _, status := range statuses {
		slug := "t" + string(status)
		f.insertTenant(t, slug, status)
		other := "other" + string(status)
		f.insertTenant(t, other, tenancy.Active)
		_, err := f.owner.Exec(t.Context(), `insert into domains (tenant_id, host, is_primary, verified_at, token)
			select id, 'alias.' || slug || '.com', false, now(), '' from tenants where slug = any($1)
			union all select id, 'claim.' || slug || '.com', false, null, 'x' from tenants where slug = $2`,
			[]string{slug, other}, slug)
		require.NoError(t, err)
		for op, do := range map[tenancy.Op]func() error{
			tenancy.OpUpdate: func() error {
				read, err := tenants.BySlug(t.Context(), slug)
				require.NoError(t, err)
				_, err = tenants.Update(t.Context(), read, tenancy.Changes{Name: &name})
				return err
			},
			tenancy.OpRename: func() error {
				_, err := tenants.Rename(t.Context(), slug, tenancy.RenameParams{Name: "Newer"})
				return err
			},
			tenancy.OpAddDomain: func() error {
				_, err := tenants.AddDomain(t.Context(), slug, "add."+slug+".com")
				return err
			},
			tenancy.OpClaimDomain: func() error {
				_, err := tenants.ClaimDomain(t.Context(), slug, "ask."+slug+".com")
				return err
			},
			tenancy.OpVerifyDomain: func() error {
				_, err := tenants.VerifyDomain(t.Context(), slug, "claim."+slug+".com")
				return err
			},
			tenancy.OpSetPrimaryDomain: func() error {
				_, err := tenants.SetPrimaryDomain(t.Context(), slug, slug+".example.com")
				return err
			},
			tenancy.OpRemoveDomain: func() error {
				return tenants.RemoveDomain(t.Context(), slug, "alias."+slug+".com")
			},
			tenancy.OpMoveDomain: func() error {
				move := tenancy.MoveDomainParams{Host: "alias." + other + ".com", From: other, To: slug}
				_, err := tenants.MoveDomain(t.Context(), move)
				return err
			},
		} {
			err := do()
			assert.Equal(t, err == nil, op.Allowed(status), "%s in status %s: %v", op, status, err)
			if err != nil {
				assert.ErrorIs(t, err, tenancy.ErrStatus, "%s in status %s", op, status)
			}
		}
	}
}

func TestReasonAndUntilOfStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	for _, c := range []struct {
		do     func() (tenancy.Tenant, error)
		reason string
		until  time.Time
	}{
		{func() (tenancy.Tenant, error) {
			return f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{Reason: "a move", Until: until})
		}, "a move", until},
		{func() (tenancy.Tenant, error) {
			return f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{Reason: "still a move"})
		}, "still a move", time.Time{}},
		{func() (tenancy.Tenant, error) {
			return f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{Until: until})
		}, "", until},
		{func() (tenancy.Tenant, error) { return f.tenants.Suspend(t.Context(), "a", "unpaid") }, "unpaid", time.Time{}},
		{func() (tenancy.Tenant, error) { return f.tenants.Suspend(t.Context(), "a", "fraud") }, "fraud", time.Time{}},
		{func() (tenancy.Tenant, error) { return f.tenants.Activate(t.Context(), "a") }, "", time.Time{}},
	} {
		got, err := c.do()
		require.NoError(t, err)
		assert.Equal(t, c.reason, got.Reason)
		assert.WithinDuration(t, c.until, got.Until, 0)
	}
}

func TestInvalidReasonsAndTimesChangeNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	id := f.insertTenant(t, "a", tenancy.Active)
	for _, reason := range []string{"two\nlines", "a\x00b", "\xff", strings.Repeat("ü", 501)} {
		_, err := f.tenants.Suspend(t.Context(), "a", reason)
		expectField(t, err, "reason")
		_, err = f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{Reason: reason})
		expectField(t, err, "reason")
	}
	for _, until := range []time.Time{time.Now().Add(-time.Second), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := f.tenants.StartMaintenance(t.Context(), "a", tenancy.MaintenanceParams{Until: until})
		expectField(t, err, "until")
	}
	_, err := f.tenants.Suspend(t.Context(), "missing", "")
	assert.ErrorIs(t, err, tenancy.ErrNotFound)
	got, err := f.tenants.ByID(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, tenancy.Active, got.Status)
	assert.Empty(t, got.Reason)
}

// An unfinished rename can be resumed in the statuses of the table, and does not change the status.
func TestResumeChecksStatus(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, status := range statuses {
		if status == tenancy.Provisioning {
			continue // Resume makes it active: see create_test.go
		}
		slug := "t" + string(status)
		id := f.create(t, slug).ID
		for _, next := range []string{"", "next_" + slug} {
			if next != "" {
				f.stopRename(t, slug, next)
			}
			_, err := f.owner.Exec(t.Context(), "update tenants set status = $2 where id = $1", id, status)
			require.NoError(t, err)
			_, err = f.tenants.Resume(t.Context(), slug)
			allowed := next != "" && tenancy.OpResume.Allowed(status)
			assert.Equal(t, err == nil, allowed, "resume in status %s, to schema %q: %v", status, next, err)
			if err != nil {
				assert.ErrorIs(t, err, tenancy.ErrStatus, "resume in status %s, to schema %q", status, next)
			}
			got, err := f.tenants.ByID(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, status, got.Status, "after resume in status %s", status)
			assert.Equal(t, allowed, got.Schema == next, "after resume in status %s: %+v", status, got)
			if !allowed {
				assert.Equal(t, next, nextSchema(got), "after resume in status %s: %+v", status, got)
			}
			_, err = f.owner.Exec(t.Context(), "update tenants set status = 'active' where id = $1", id)
			require.NoError(t, err)
		}
	}
}
