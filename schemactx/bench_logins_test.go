package schemactx_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

// BenchmarkCompareLogins is BenchmarkCompare for level Logins. The tenants' pools are other
// connections than those of raw: all 16 for one tenant, and two for each of ten. A single caller
// that changes tenants also changes server processes, while raw keeps the process that it used
// last.
func BenchmarkCompareLogins(b *testing.B) {
	f := newFleet(b)
	for tenants, conns := range map[int]int32{1: fleetConns, 10: 2} {
		b.Run(fmt.Sprintf("tenants=%d", tenants), func(b *testing.B) {
			r := openLogins(b, f, tenants, conns)
			l := openWarm(b, f, "raw", tenants)
			for _, goroutines := range []int{1, 16} {
				b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
					compare(b, goroutines, l.student(tenants), r.student(tenants))
				})
			}
		})
	}
}

func openLogins(b *testing.B, f *fleet, tenants int, conns int32) *reader {
	b.Helper()
	secret := bytes.Repeat([]byte("s"), 32)
	password := func(_ context.Context, schema string) (string, error) {
		return schemactx.LoginPassword(secret, f.roles.Tenant(schema))
	}
	for _, name := range f.names[:tenants] {
		p, err := password(f.base, name)
		require.NoError(b, err)
		// ProvisionLogin would refuse: the roles were created for the template from which this database
		// is cloned.
		_, err = f.pg.Pool.Exec(f.base, fmt.Sprintf("alter role %s login password '%s'", f.roles.Tenant(name), p))
		require.NoError(b, err)
	}
	r := &reader{fleet: f, pool: f.pool(b, f.roles.Runtime(), runtimePassword)}
	var err error
	r.db, err = schemactx.New(r.pool, schemactx.Config{
		Level: schemactx.Logins, Roles: f.roles, Logins: schemactx.LoginsConfig{Password: password, MaxConns: conns},
	})
	require.NoError(b, err)
	b.Cleanup(r.db.Close)
	r.row = func(tenant, id int) (name string, err error) {
		err = r.db.QueryRow(f.ctxs[tenant], studentSQL, id).Scan(&name)
		return name, err
	}
	_, err = spread(16, counted(20_000), r.student(tenants)) // every connection of every pool reads
	require.NoError(b, err)
	return r
}
