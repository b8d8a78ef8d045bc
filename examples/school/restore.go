package main

import (
	"context"
	"fmt"
	"io"

	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func backUp(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	info, err := p.backups.Backup(ctx, args[0], backup.BackupOptions{})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Backed up %d rows into %s, and read them back.\n", info.Rows, info.Name)
	return p.log.Write(ctx, audit.Entry{
		Tenant: info.TenantID, Slug: info.Slug, Schema: info.Schema, Action: audit.Backup,
		Details: map[string]any{"backup": info.Name, "rows": info.Rows},
	})
}

func drill(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	newest, err := p.newestBackup(ctx, args[0])
	if err != nil {
		return err
	}
	done, err := p.backups.Verify(ctx, newest.Name, backup.RestoreOptions{})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s can be restored: %d rows, compared in a schema that is gone again.\n", newest.Name, done.Rows)
	return nil
}

// restore replaces what a school has, or makes a new school where the second argument names one.
func restore(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	newest, err := p.newestBackup(ctx, args[0])
	if err != nil {
		return err
	}
	opts := backup.RestoreOptions{Replace: args[0]}
	if len(args) == 2 {
		opts = backup.RestoreOptions{Slug: args[1], Name: args[1], Domain: args[1] + ".localhost"}
	}
	restored, err := p.backups.Restore(ctx, newest.Name, opts)
	if err != nil {
		return err
	}
	t := restored.Tenant
	fmt.Fprintf(stdout, "Restored %d rows of %s as %s, in schema %s.\n", restored.Rows, newest.Name, t.Slug, t.Schema)
	if restored.Aside != "" {
		fmt.Fprintf(stdout, "What was there is kept in schema %s: see revert and confirm.\n", restored.Aside)
	}
	return p.log.Write(ctx, audit.Entry{
		Tenant: t.ID, Slug: t.Slug, Schema: t.Schema, Action: audit.Restore,
		Details: map[string]any{"backup": newest.Name, "rows": restored.Rows},
	})
}

func revert(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	aside, err := p.tenants.Aside(ctx, args[0])
	if err != nil {
		return err
	}
	t, err := p.backups.RevertRestore(ctx, args[0], aside.Schema)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s has schema %s again. What was restored is kept: revert once more to have it back.\n", t.Slug, t.Schema)
	return nil
}

func confirm(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	aside, err := p.tenants.Aside(ctx, args[0])
	if err != nil {
		return err
	}
	t, err := p.backups.ConfirmRestore(ctx, args[0], aside.Schema)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s stays as it is, in schema %s. %s is dropped.\n", t.Slug, t.Schema, aside.Schema)
	return nil
}
