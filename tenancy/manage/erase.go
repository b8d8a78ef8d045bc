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
		short: "Drop a tenant and all copies of its data, and certify it",
		long: `Drop a tenant permanently, delete its backups and everything else that stores its data,
check that nothing is left, and print a certificate: what was deleted, and what is kept and why.
Nothing can be restored afterwards.

It asks for confirmation and takes tokens as 'tenant drop' does. 'tenant drop request' prints them.
'erase resume' finishes an interrupted erasure. The same command, run again, prints the certificate
again. Write -- before a slug that is resume.

The JSON is backup.Certificate.`,
		example: "  $0 erase schoola\n  $0 erase schoola --token TOKEN --yes --keep-archives 720h --json > certificate.json",
		codes: map[int]string{
			CodeUnconfirmed: "",
			CodeMissing:     "",
		},
		needs:  []need{needTenants, needBackups},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			confirmFlags(f)
			f.Duration("keep-archives", 0, "how long to keep its backups, "+
				"if a law or contract requires it (default: not at all)")
		},
		run: runErase,
	})
	cmd.AddCommand(m.verb(verb{
		use:   "resume",
		short: "Finish interrupted erasures",
		long: `Finish erasures that were interrupted after their tenants were dropped, and print the
certificates. It also deletes kept backups whose time has expired.`,
		example: "  $0 erase resume",
		needs:   []need{needBackups},
		run:     resumeErasures,
	}))
	return cmd
}

func runErase(ctx context.Context, c *call) error {
	keep := flagOf[time.Duration](c.cmd, "keep-archives")
	if keep < 0 {
		return usagef("--keep-archives is negative")
	}
	if c.interactive() && keep == 0 {
		if _, err := c.Tenants.BySlug(ctx, c.args[0]); err == nil {
			c.note("The backups of %s will be deleted, too.", c.args[0])
		}
	}
	return c.destroy(ctx, "", func(ctx context.Context, p tenancy.DropParams) error {
		certificate, err := c.Backups.Erase(ctx, backup.EraseParams{DropParams: p, KeepArchives: keep})
		if err != nil {
			return err
		}
		return c.certified(certificate)
	})
}

func resumeErasures(ctx context.Context, c *call) error {
	certificates, err := c.Backups.ResumeErasures(ctx)
	for _, certificate := range certificates {
		err = errors.Join(err, c.certified(certificate))
	}
	gone, pruned := c.Backups.PruneErased(ctx)
	c.note("%s finished, %s deleted", count(len(certificates), "erasure"), count(len(gone), "archive"))
	return errors.Join(err, pruned)
}

func (c *call) certified(certificate backup.Certificate) error {
	return c.result(certificate, func() { c.lines(certificate.Text()) })
}
