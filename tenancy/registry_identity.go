package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// ErrNoIdentity is returned by [Registry.Identity] for a registry whose row of registry_identity
// was deleted. [Manager.RenewIdentity] makes a new one.
var ErrNoIdentity = errors.New("registry has no identity")

// Identity returns the UUID of the registry, which the shared migrations have made. Tenants' ids
// begin at 1 in every registry. The UUID tells registries apart that share something outside of
// their databases, such as a store of backups.
//
// A copy of the database (pg_dump, CREATE DATABASE ... TEMPLATE, a file system snapshot) has the
// identity of the original until [Manager.RenewIdentity] gives it one of its own. Reading it needs
// the owner's privileges. ctx governs the query.
func (r *Registry) Identity(ctx context.Context) (string, error) {
	rows, err := r.db.Query(schemactx.NewPublicContext(ctx), "select id::text from {registry}.registry_identity")
	if err != nil {
		return "", fmt.Errorf("read the registry's identity: %w", err)
	}
	id, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", ErrNoIdentity
	case err != nil:
		return "", fmt.Errorf("read the registry's identity: %w", err)
	}
	return id, nil
}

// RenewIdentity gives the registry a new identity and returns it. Call it for a copy of a database
// before anything else runs on the copy. Then the original and the copy do not prune, erase or
// count each other's backups. Every backup that was made under the former identity belongs to
// another registry from then on, also for this database. ctx governs the statement.
func (m *Manager) RenewIdentity(ctx context.Context) (string, error) {
	var id string
	err := m.registry.QueryRow(ctx, `insert into {registry}.registry_identity default values
		on conflict (one) do update set id = excluded.id, made_at = excluded.made_at returning id::text`).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("renew the registry's identity: %w", initialized(err))
	}
	m.cfg.Logger.WarnContext(ctx, "identity of the registry renewed", "identity", id)
	return id, nil
}
