package tenancytest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
)

// Environment is a database with tenants for tests. Its fields are set before the first tenant is
// taken; its methods are safe for concurrent use by parallel tests.
type Environment struct {
	// Manager makes the tenants. Tests may use it for tenants of their own.
	Manager *tenancy.Manager

	// DB is the scoped handle of the runtime login, for the program under test.
	DB *schemactx.DB

	// Owner is a pool of the owner role, which may clear tenants' tables. It needs two connections.
	Owner *pgxpool.Pool

	// Handler is the program under test, which [Tenant.Client] talks to: in most cases what
	// [tenanthttp.Handler] returns. Default: nil; only Client needs it.
	Handler http.Handler

	// Resolver is that of Handler. A tenant is handed out when it is found there, as a resolver
	// that keeps a copy of the registry hears of a new tenant a moment later. Default: nil,
	// nothing is waited for.
	Resolver tenanthttp.Resolver

	// Domain is what the hosts of tenants end in. Default: "tenants.test", a name that is never
	// in the DNS.
	Domain string

	mu       sync.Mutex
	free     []tenancy.Tenant
	pristine *pristine
	close    func(ctx context.Context) error
}

// New returns an environment on what the program has set up. Tenants stay in the database.
func New(manager *tenancy.Manager, db *schemactx.DB, owner *pgxpool.Pool) (*Environment, error) {
	if manager == nil || db == nil || owner == nil {
		return nil, errors.New("tenancytest: manager, db or owner is nil")
	}
	if owner.Config().MaxConns < 2 {
		return nil, errors.New("tenancytest: the owner's pool has one connection; give it two")
	}
	return &Environment{Manager: manager, DB: db, Owner: owner}, nil
}

// Close drops what [Open] has made. Connections that tests have not given back within 5 seconds are
// ended by the server, and stay lost to their pools. After [New] it does nothing.
func (e *Environment) Close(ctx context.Context) error {
	if e.close == nil {
		return nil
	}
	if err := e.close(ctx); err != nil {
		return fmt.Errorf("tenancytest: %w", err)
	}
	return nil
}
