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

// Environment is a database with tenants for tests. Set its fields before the first tenant is used.
// Its methods are safe for concurrent use by parallel tests.
type Environment struct {
	// Manager creates the tenants. Tests may use it for further tenants.
	Manager *tenancy.Manager

	// DB is the scoped handle of the runtime login, for the program under test.
	DB *schemactx.DB

	// Owner is a pool of the owner role, which resets the tenants' tables. It needs two connections.
	Owner *pgxpool.Pool

	// Handler is the program under test, which [Tenant.Client] calls: usually the result of
	// [tenanthttp.Handler]. Default: nil; only Client needs it.
	Handler http.Handler

	// Resolver is the resolver of Handler. If it is set, a tenant is returned only after the resolver
	// has it, because a resolver with a copy of the registry learns of a new tenant with a delay.
	// Default: nil, no wait.
	Resolver tenanthttp.Resolver

	// Domain is the suffix of the tenants' hosts. Default: "tenants.test", which is never in the DNS.
	Domain string

	mu       sync.Mutex
	free     []tenancy.Tenant
	pristine *pristine
	close    func(ctx context.Context) error
}

// New returns an environment for a database that the program has set up. Tenants stay in the
// database.
func New(manager *tenancy.Manager, db *schemactx.DB, owner *pgxpool.Pool) (*Environment, error) {
	if manager == nil || db == nil || owner == nil {
		return nil, errors.New("tenancytest: manager, db or owner is nil")
	}
	if owner.Config().MaxConns < 2 {
		return nil, errors.New("tenancytest: the owner's pool has one connection; give it two")
	}
	return &Environment{Manager: manager, DB: db, Owner: owner}, nil
}

// Close drops what [Open] has created. The server ends connections that tests have not returned
// within 5 seconds; they stay lost to their pools. After [New] it does nothing.
func (e *Environment) Close(ctx context.Context) error {
	if e.close == nil {
		return nil
	}
	if err := e.close(ctx); err != nil {
		return fmt.Errorf("tenancytest: %w", err)
	}
	return nil
}
