package manage

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/audit"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func (m *mount) export() *cobra.Command {
	return m.verb(verb{
		use:   "export SLUG",
		short: "Export the data of a tenant, or of one person, to a file",
		long: `Export the data of a tenant to a file: an archive as 'backup' stores it, for 'restore
--file' on this database or another. With --subject it exports what the tenant stores about one
person, as the program's queries find it: a zip file of tables, to answer the person's request for
access.

The file must not exist yet, and only you can read it. With --out - the command's own messages go to
standard error. The access log records the export before any data is read, but not the subject.`,
		example: "  $0 export schoola --out schoola.archive\n  $0 export schoola --subject ada@example.com --out ada.zip",
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			outFlag(f, "file to write; required")
			f.String("subject", "", "the person, as the program's queries identify them")
			f.Bool("allow-drift", false, "also if the schema differs from its migrations")
		},
		run: runExport,
	})
}

// exportJSON is the result of an export, in JSON. Its field names are stable.
type exportJSON struct {
	Slug   string                  `json:"slug"`
	File   string                  `json:"file"`
	Rows   int64                   `json:"rows"`
	Bytes  int64                   `json:"bytes,omitempty"`  // only for an archive
	SHA256 string                  `json:"sha256,omitempty"` // only for an archive
	Person *backup.SubjectManifest `json:"person,omitempty"` // only with --subject
}

func runExport(ctx context.Context, c *call) error {
	subject, personal := flagOf[string](c.cmd, "subject"), c.cmd.Flags().Changed("subject")
	j := exportJSON{File: flagOf[string](c.cmd, "out")}
	switch {
	case j.File == "":
		return usagef("--out is missing")
	case personal && c.Subjects == nil:
		return notConfigured("the export of one person's data")
	case !personal && c.Backups == nil:
		return needBackups(c.App)
	}
	t, err := c.Tenants.BySlug(ctx, c.args[0])
	if err != nil {
		return err
	}
	j.Slug = t.Slug
	if err := c.logExport(ctx, t, personal); err != nil {
		return err
	}
	err = c.writeFile(func(w io.Writer) (err error) {
		if personal {
			manifest, err := c.Subjects.Export(ctx, &t, subject, w)
			j.Person, j.Rows = &manifest, manifest.Rows()
			return err
		}
		barred, end := c.withBar(ctx, "exporting "+t.Slug)
		defer end()
		info, err := c.Backups.BackupTo(barred, t.Slug, w, c.backupOptions())
		j.Rows, j.Bytes, j.SHA256 = info.Rows, info.Size, info.SHA256
		return err
	})
	if errors.Is(err, backup.ErrInvalidSubject) {
		return usagef("%s", err)
	}
	if err != nil {
		return err
	}
	return c.result(j, func() { c.linef("Exported %s of %s to %s.", count(j.Rows, "row"), t.Slug, j.File) })
}

// logExport records an export in the access log. It runs before the export, so that an export that
// cannot be logged is not made.
func (c *call) logExport(ctx context.Context, t tenancy.Tenant, personal bool) error {
	kind := "archive"
	if personal {
		kind = "person"
	}
	return c.log(ctx, audit.Entry{
		Tenant: t.ID, Slug: t.Slug, Schema: t.Schema, Action: audit.Export,
		Details: map[string]any{"kind": kind, "command": c.cmd.CommandPath()},
	})
}

func (m *mount) dump() *cobra.Command {
	return m.verb(verb{
		use:   "dump SLUG",
		short: "Dump a tenant's schema with pg_dump",
		long: `Dump a tenant's schema with pg_dump, to hand it over: to the program's store, or with --out
to a file. A dump is not a backup: no command of this program reads it.`,
		example: "  $0 dump schoola --out schoola.dump\n  $0 dump schoola --plain --out - | gzip > schoola.sql.gz",
		codes:   map[int]string{CodeMissing: ""},
		needs:   []need{needTenants, needBackups},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			outFlag(f, "file to write (default: a file in the store)")
			f.Bool("plain", false, "write an SQL script for psql instead of pg_dump's custom format")
			f.Bool("rights", false, "include owners and privileges, which name roles of this server")
		},
		run: runDump,
	})
}

// dumpJSON is the result of a dump, in JSON. Its field names are stable.
type dumpJSON struct {
	Slug   string `json:"slug"`
	Schema string `json:"schema"`
	File   string `json:"file"`
	Stored bool   `json:"stored"` // whether it is in the program's store
	Tool   string `json:"tool"`   // the version of pg_dump
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func runDump(ctx context.Context, c *call) error {
	var o backup.DumpOptions
	if flagOf[bool](c.cmd, "plain") {
		o.Format = backup.DumpPlain
	}
	if flagOf[bool](c.cmd, "rights") {
		o.Privileges = backup.DumpAllPrivileges
	}
	t, err := c.Tenants.BySlug(ctx, c.args[0])
	if err != nil {
		return err
	}
	if err := c.logExport(ctx, t, false); err != nil {
		return err
	}
	var info backup.DumpInfo
	file := flagOf[string](c.cmd, "out")
	if file == "" {
		info, err = c.Backups.Dump(ctx, t.Slug, o)
	} else {
		err = c.writeFile(func(w io.Writer) (err error) {
			info, err = c.Backups.DumpTo(ctx, t.Slug, w, o)
			return err
		})
	}
	if err != nil {
		return err
	}
	j := dumpJSON{Slug: t.Slug, Schema: info.Schema, File: file, Tool: info.Tool, Bytes: info.Size, SHA256: info.SHA256}
	if file == "" {
		j.File, j.Stored = info.Name, true
	}
	return c.result(j, func() { c.linef("Dumped %s to %s, %s.", t.Slug, j.File, size(j.Bytes)) })
}
