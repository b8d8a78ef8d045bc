package manage

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oryne/pgtenant/tenancy"
)

// completeTimeout limits how long a shell waits for completions, and completeMax how many it shows.
const (
	completeTimeout = 3 * time.Second
	completeMax     = 200
)

// slugs completes the slug of a tenant, as the first argument.
func (m *mount) slugs(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return m.complete(cmd, prefix, func(t tenancy.Tenant) (string, string) { return t.Slug, t.Name })
}

// schemas completes the schema of a tenant, as the value of a flag.
func (m *mount) schemas(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return m.complete(cmd, prefix, func(t tenancy.Tenant) (string, string) { return t.Schema, t.Slug })
}

// completeFlags completes the values of flags that have the same meaning in all commands.
func (m *mount) completeFlags(cmd *cobra.Command) {
	for name, complete := range map[string]cobra.CompletionFunc{
		"status": cobra.FixedCompletions(statuses, cobra.ShellCompDirectiveNoFileComp),
		"format": cobra.FixedCompletions([]string{"json", "csv"}, cobra.ShellCompDirectiveNoFileComp),
		"from":   m.manySlugs, "backup": m.backupNames,
		"schema": m.schemas, "only": m.schemas, "except": m.schemas, "canary-schema": m.schemas,
	} {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
			panic(err) // programming error: the flag has a completion already
		}
	}
}

// manySlugs completes a slug for each argument.
func (m *mount) manySlugs(
	cmd *cobra.Command,
	_ []string,
	prefix string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return m.slugs(cmd, nil, prefix)
}

// slugsThenDomains completes a slug as the first argument and a domain of that tenant as the
// second.
func (m *mount) slugsThenDomains(
	cmd *cobra.Command,
	args []string,
	prefix string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return m.slugs(cmd, args, prefix)
	}
	return m.completing(cmd, func(ctx context.Context, a *App) (found []cobra.Completion, err error) {
		d, err := a.Tenants.Show(ctx, args[0])
		for _, domain := range d.Domains {
			found = append(found, cobra.Completion(domain.Host))
		}
		return found, err
	})
}

// backupNames completes the name of a backup of the tenant that the first argument names.
func (m *mount) backupNames(
	cmd *cobra.Command,
	args []string,
	prefix string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return m.completing(cmd, func(ctx context.Context, a *App) (found []cobra.Completion, err error) {
		t, err := a.Tenants.BySlug(ctx, args[0])
		if err != nil || a.Backups == nil {
			return nil, err
		}
		for info, err := range a.Backups.Backups(ctx, t.ID) {
			if err != nil || len(found) == completeMax {
				return found, err
			}
			if strings.HasPrefix(info.Name, prefix) {
				found = append(found, cobra.CompletionWithDesc(info.Name, moment(info.TakenAt)))
			}
		}
		return found, nil
	})
}

// complete offers a word for each tenant whose word begins with prefix. After an error it offers
// nothing.
func (m *mount) complete(
	cmd *cobra.Command, prefix string, of func(t tenancy.Tenant) (word, description string),
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return m.completing(cmd, func(ctx context.Context, a *App) (found []cobra.Completion, err error) {
		for t, err := range a.Tenants.All(ctx, tenancy.Filter{Limit: tenancy.MaxPageSize}) {
			if err != nil || len(found) == completeMax {
				return found, err
			}
			if word, description := of(t); strings.HasPrefix(word, prefix) {
				found = append(found, cobra.CompletionWithDesc(word, clean(description)))
			}
		}
		return found, nil
	})
}

// completing opens the App, and returns the completions that find returns. After an error, or
// without a registry of tenants, it returns none.
func (m *mount) completing(
	cmd *cobra.Command, find func(ctx context.Context, a *App) ([]cobra.Completion, error),
) ([]cobra.Completion, cobra.ShellCompDirective) {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeTimeout)
	defer cancel()
	app, err := m.open(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer func() { _ = closing(ctx, app.Close) }() // completion has no place to print the error
	if app.Tenants == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := find(ctx, app)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
