package tenancy

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
)

// checkLogins finds out, before Init makes anything, whether its pools are logged in as the owner: what another role
// makes belongs to that role, and the owner can neither migrate nor grant it later.
func (m *Manager) checkLogins(ctx context.Context) error {
	if err := checkOwner(ctx, m.registry, m.cfg.RegistryRoles); err != nil {
		return err
	}
	if m.schemas == m.registry {
		return nil
	}
	return checkOwner(ctx, m.schemas, m.cfg.Roles)
}

func checkOwner(ctx context.Context, pool *pgxpool.Pool, roles schemactx.RoleNames) error {
	var role string
	var super, owner, public bool
	err := pool.QueryRow(ctx, `select rolname, rolsuper, exists (select from pg_catalog.pg_roles where rolname = $1),
			exists (select from pg_catalog.pg_roles where rolname = $2)
		from pg_catalog.pg_roles where rolname = current_user`, roles.Owner(), roles.Public()).Scan(&role, &super, &owner, &public)
	switch {
	case err != nil:
		return fmt.Errorf("look at the login of the registry: %w", err)
	case role != roles.Owner():
		e := &schemactx.LoginError{Login: role, Kind: schemactx.LoginOther, Want: roles.Owner(), Missing: !owner}
		switch {
		case super:
			e.Kind = schemactx.LoginSuperuser
		case role == roles.Runtime():
			e.Kind = schemactx.LoginRuntime
		}
		return e
	case !public:
		return fmt.Errorf("%w: role %q does not exist: run schemactx.Setup with an administrator's login, as the command init does",
			schemactx.ErrNotProvisioned, roles.Public())
	}
	return nil
}

// checkConfigured refuses a pool that is configured with the login that serves requests.
func checkConfigured(pool *pgxpool.Pool, roles schemactx.RoleNames) error {
	if login := pool.Config().ConnConfig.User; login == roles.Runtime() {
		return &schemactx.LoginError{Login: login, Kind: schemactx.LoginRuntime, Want: roles.Owner()}
	}
	return nil
}
