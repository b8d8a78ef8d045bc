package schemactx_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
)

func TestRoundTripsOfProvision(t *testing.T) {
	t.Parallel()
	f := setup(t)
	url := f.pg.URLAs(f.roles.Owner(), ownerPassword)
	w := &wired{fixture: f, proxy: newProxy(t, url, wireDelay)}
	pool := openVia(t, w.proxy, url, 1)
	require.NoError(t, pool.Ping(t.Context()))
	provision := func() error {
		_, err := admin.Provision(t.Context(), pool, f.roles, "tenant_c")
		return err
	}
	login := func() error {
		_, err := admin.ProvisionLogin(t.Context(), pool, f.roles, "tenant_d", "password")
		return err
	}
	w.expect(t, "a new tenant", cost{trips: 4, parses: true}, provision)
	w.expect(t, "nothing to do", cost{trips: 4, parses: true}, provision)
	w.expect(t, "a new tenant that logs in", cost{trips: 5, parses: true}, login)
}
