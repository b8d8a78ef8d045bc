package manage

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) erase() *cobra.Command {
	cmd := m.verb(verb{
		use:   "erase SLUG",
		short: "Drop a tenant and all that is kept of it, and certify it",
		long: `Drop a tenant for good, remove its backups, have what else keeps something of it remove that, look that it is gone, and write
the certificate: what is gone, and what stays and why. There is no way back, not even a backup.

It asks and takes tokens as 'tenant drop' does; 'tenant drop request' gives them out. An erasure that was interrupted goes on with
'erase resume', and returns its certificate again with the same command. A tenant whose slug is resume comes behind --.

The JSON is that of backup.Certificate.`,
		example: "  $0 erase schoola\n  $0 erase schoola --token TOKEN --yes --keep-archives 720h --json > certificate.json",
		codes: map[int]string{
			CodeUnconfirmed: "",
			CodeMissing:     "",
		},
		needs:  []need{needTenants, needBackups},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			confirmFlags(f)
			f.Duration("keep-archives", 0, "how long its backups stay, where a law or a contract says so (default: they go now)")
		},
		run: func(ctx context.Context, c *call) error {
			keep := flagOf[time.Duration](c.cmd, "keep-archives")
			if keep < 0 {
				return usagef("--keep-archives is negative")
			}
			if c.interactive() && keep == 0 {
				if _, err := c.Tenants.BySlug(ctx, c.args[0]); err == nil {
					c.note("The backups of %s go with it.", c.args[0])
				}
			}
			return c.destroy(ctx, "", func(ctx context.Context, p tenancy.DropParams) error {
				certificate, err := c.Backups.Erase(ctx, backup.EraseParams{DropParams: p, KeepArchives: keep})
				if err != nil {
					return err
				}
				return c.certified(certificate)
			})
		},
	})
	cmd.AddCommand(m.verb(verb{
		use:   "resume",
		short: "Finish erasures that were interrupted",
		long: `Finish what was begun to be erased and whose tenant is gone, and write the certificates. Backups that were kept for a
while are removed whose time is over.`,
		example: "  $0 erase resume",
		needs:   []need{needBackups},
		run: func(ctx context.Context, c *call) error {
			certificates, err := c.Backups.ResumeErasures(ctx)
			for _, certificate := range certificates {
				err = errors.Join(err, c.certified(certificate))
			}
			gone, pruned := c.Backups.PruneErased(ctx)
			c.note("%s, %s removed", count(len(certificates), "erasure"), count(len(gone), "archive"))
			return errors.Join(err, pruned)
		},
	}))
	return cmd
}

func (c *call) certified(certificate backup.Certificate) error {
	return c.result(certificate, func() { c.lines(certificate.Text()) })
}
