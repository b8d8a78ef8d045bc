package tenancy_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// destruction is a way to destroy a tenant's data, with the request for it.
type destruction struct {
	request func(slug string) (tenancy.DropRequest, error)
	do      func(p tenancy.DropParams) error
}

// destructions are all there are, of a tenant whose old schema is aside.
func destructions(t *testing.T, m *tenancy.Manager, aside string) map[string]destruction {
	return map[string]destruction{
		"drop": {
			func(slug string) (tenancy.DropRequest, error) { return m.RequestDrop(t.Context(), slug, actor) },
			func(p tenancy.DropParams) error { _, err := m.Drop(t.Context(), p); return err },
		},
		"confirm": {
			func(slug string) (tenancy.DropRequest, error) {
				return m.RequestConfirm(t.Context(), slug, aside, actor)
			},
			func(p tenancy.DropParams) error { _, err := m.ConfirmReplacement(t.Context(), p, aside); return err },
		},
	}
}

func TestOnePersonAloneDestroysNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.create(t, "b")
	f.replace(t, "a")
	m := f.twoPeople(t)
	ways := destructions(t, m, a.Schema)
	approved := func(way, slug string) tenancy.DropRequest {
		r, err := ways[way].request(slug)
		require.NoError(t, err)
		_, err = m.ApproveDrop(t.Context(), r.ID, "bob@example.com")
		require.NoError(t, err)
		return r
	}
	for name, way := range ways {
		other := "confirm"
		if name == other {
			other = "drop"
		}
		mine, err := way.request("a")
		require.NoError(t, err)
		expired := approved(name, "a")
		_, err = f.pg.Pool.Exec(t.Context(), "update public.drop_requests set expires_at = now() where id = $1", expired.ID)
		require.NoError(t, err)
		_, err = m.ApproveDrop(t.Context(), mine.ID, actor)
		require.ErrorIs(t, err, tenancy.ErrOwnApproval)
		_, err = m.ApproveDrop(t.Context(), mine.ID, "ADA@example.com")
		require.ErrorIs(t, err, tenancy.ErrOwnApproval)
		for _, hidden := range []string{"\u200b", "\u00ad", "\u2060", "\ufe0f", "x\u00a0y", "\u202e"} {
			_, err = m.ApproveDrop(t.Context(), mine.ID, actor+hidden)
			var refused *tenancy.FieldError
			require.ErrorAs(t, err, &refused, "%q", hidden)
		}
		before := f.snapshot(t)
		for tried, c := range map[string]struct {
			p    tenancy.DropParams
			want error
		}{
			"without a token":            {tenancy.DropParams{Slug: "a", Actor: actor}, tenancy.ErrDropToken},
			"with a token made up":       {tenancy.DropParams{Slug: "a", Actor: actor, Token: "x"}, tenancy.ErrDropToken},
			"without another's approval": {tenancy.DropParams{Slug: "a", Actor: actor, Token: mine.Token}, tenancy.ErrDropNotApproved},
			"too late":                   {tenancy.DropParams{Slug: "a", Actor: actor, Token: expired.Token}, tenancy.ErrDropExpired},
			"in another's name":          {tenancy.DropParams{Slug: "a", Actor: "bob@example.com", Token: mine.Token}, tenancy.ErrDropToken},
			"with what another approved for another way": {
				tenancy.DropParams{Slug: "a", Actor: actor, Token: approved(other, "a").Token}, tenancy.ErrDropToken,
			},
			"with what another approved for another tenant": {
				tenancy.DropParams{Slug: "a", Actor: actor, Token: approved("drop", "b").Token}, tenancy.ErrDropToken,
			},
		} {
			err := way.do(c.p)
			require.ErrorIs(t, err, c.want, "%s %s", name, tried)
			require.Equal(t, before, f.snapshot(t), "%s %s", name, tried)
		}
	}
	for _, name := range []string{"confirm", "drop"} {
		r := approved(name, "a")
		require.NoError(t, ways[name].do(tenancy.DropParams{Slug: "a", Actor: actor, Token: r.Token}), name)
	}
	f.expectInvariants(t)
}

// A process of before RequestConfirm does not look at the schema of a request: the token of one
// must not be a drop's there.
func TestTheTokenOfAConfirmationIsNoDropsForOlderProcesses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	m := f.twoPeople(t)
	finds := func(r tenancy.DropRequest) (found bool) {
		hash := sha256.Sum256([]byte(r.Token))
		require.NoError(t, f.pg.Pool.QueryRow(t.Context(), `select exists (select from public.drop_requests
			where token_hash = $1 and tenant_id = $2 and actor = $3 and used_at is null)`, hash[:], a.ID, actor).Scan(&found))
		return found
	}
	drop, err := m.RequestDrop(t.Context(), "a", actor)
	require.NoError(t, err)
	require.True(t, finds(drop))
	confirm, err := m.RequestConfirm(t.Context(), "a", a.Schema, actor)
	require.NoError(t, err)
	require.False(t, finds(confirm))
}

// What else a drop demands, a confirmation demands too.
func TestAConfirmationNeedsWhatADropNeeds(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.replace(t, "a")
	_, err := f.tenants.ConfirmReplacement(t.Context(), tenancy.DropParams{Slug: "a", Actor: actor}, a.Schema)
	require.ErrorIs(t, err, tenancy.ErrDropDisabled)
	_, err = f.tenants.RequestConfirm(t.Context(), "a", a.Schema, actor)
	require.ErrorIs(t, err, tenancy.ErrDropDisabled)

	refused := errors.New("wrong code")
	backedUp, asked := time.Time{}, tenancy.ApprovalData{}
	approve := refused
	m, told := f.droppers(t, tenancy.DropConfig{
		Backups: tenancy.BackupsFunc(func(context.Context, *tenancy.Tenant) (time.Time, error) { return backedUp, nil }),
		Approve: tenancy.ApproverFunc(func(_ context.Context, data tenancy.ApprovalData) error {
			asked = data
			return approve
		}),
	})
	for _, schema := range []string{"", "tenant_77", "a\x00b"} {
		_, err = m.RequestConfirm(t.Context(), "a", schema, actor)
		require.ErrorIs(t, err, tenancy.ErrNothingAside)
	}
	before := f.snapshot(t)
	r, err := m.RequestConfirm(t.Context(), "a", a.Schema, actor)
	require.NoError(t, err)
	require.Equal(t, a.Schema, r.Schema)
	require.Positive(t, r.Contents.Tables)
	require.Empty(t, r.Contents.Domains)
	p := tenancy.DropParams{Slug: "a", Actor: actor, Token: r.Token}
	aside, err := m.Aside(t.Context(), "a")
	require.NoError(t, err)
	for what, at := range map[string]time.Time{
		"none":                 {},
		"of the replacement":   time.Now(),
		"a second too late":    aside.Since.Add(time.Second),
		"too old, not by much": aside.Since.Add(-tenancy.DefaultMaxBackupAge - time.Second),
	} {
		backedUp = at
		_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
		var old *tenancy.BackupError
		require.ErrorAs(t, err, &old, what)
		require.Equal(t, a.Schema, old.Schema, what)
		require.ErrorIs(t, err, tenancy.ErrNoFreshBackup, what)
	}
	backedUp = aside.Since.Add(-tenancy.DefaultMaxBackupAge)
	_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
	require.ErrorIs(t, err, refused)
	require.Equal(t, a.Schema, asked.Request.Schema)
	require.Equal(t, before, f.snapshot(t))
	approve = nil
	_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
	require.NoError(t, err)
	_, err = m.ConfirmReplacement(t.Context(), p, a.Schema)
	require.ErrorIs(t, err, tenancy.ErrNothingAside)
	last := told.all[len(told.all)-2]
	require.Equal(t, tenancy.DropDone, last.Phase)
	require.Equal(t, a.Schema, last.Schema)
	f.expectInvariants(t)
}
