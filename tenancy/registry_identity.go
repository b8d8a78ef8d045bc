package tenancy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// ErrNoIdentity is returned by [Registry.Identity] if the row of registry_identity was deleted.
// [Manager.RenewIdentity] makes a new one.
var ErrNoIdentity = errors.New("registry has no identity")

// Identity returns the UUID of the registry, which the shared migrations have generated. Tenant ids
// begin at 1 in every registry. So the UUID distinguishes registries that share a resource outside
// of their databases, such as a store of backups.
//
// A copy of the database (pg_dump, CREATE DATABASE ... TEMPLATE, a file system snapshot) keeps the
// identity of the original until [Manager.RenewIdentity] runs on the copy. Reading the identity
// needs the owner's privileges. The error is [ErrNoIdentity] or that of the query. ctx governs the
// query.
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

// RenewIdentity gives the registry a new identity and returns it. Call it on a copy of a database
// before any other program uses the copy. Then the original and the copy do not prune, erase or
// count each other's backups. Afterwards every backup that was made under the former identity
// belongs to another registry, also for this database. ctx governs the statement.
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
