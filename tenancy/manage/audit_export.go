package manage

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) auditExport() *cobra.Command {
	return m.verb(verb{
		use:   "export [SLUG]",
		short: "Export records of the access log to a file",
		long: `Export records of the access log to a file, oldest first: all records, or those of one
tenant. The format is JSON, one object per line, or CSV for spreadsheets. The file must not exist
yet, and only you can read it. The access log records the export.`,
		example: "  $0 audit export --since 2026-03-01 --until 2026-04-01 --format csv --out march.csv\n" +
			"  $0 audit export schoola --out - | jq .action",
		codes:  map[int]string{CodeMissing: ""},
		needs:  []need{needAudit},
		values: m.slugs,
		flags: func(f *pflag.FlagSet) {
			recordFlags(f)
			outFlag(f, "file to write; required")
			f.String("format", "json", "json or csv")
		},
		run: exportLog,
	})
}

// exportedJSON is the result of an export, in JSON. Its field names are stable.
type exportedJSON struct {
	File    string `json:"file"`
	Records int64  `json:"records"`
}

func exportLog(ctx context.Context, c *call) error {
	formats := map[string]audit.Format{"json": audit.JSONLines, "csv": audit.CSV}
	format, ok := formats[flagOf[string](c.cmd, "format")]
	file := flagOf[string](c.cmd, "out")
	switch {
	case file == "":
		return usagef("--out is missing")
	case !ok:
		return usagef("--format is neither json nor csv")
	}
	f, err := c.records(ctx)
	if err != nil {
		return err
	}
	e := audit.Entry{Action: audit.Export, Details: map[string]any{"kind": "access log", "command": c.cmd.CommandPath()}}
	if len(f.Tenants) == 1 {
		e.Tenant = f.Tenants[0]
	}
	if err := c.log(ctx, e); err != nil {
		return err
	}
	j := exportedJSON{File: file}
	err = c.writeFile(func(w io.Writer) (err error) {
		j.Records, err = c.Audit.Export(ctx, w, f, format)
		return err
	})
	if err != nil {
		return err
	}
	return c.result(j, func() { c.linef("Exported %s to %s.", count(j.Records, "record"), file) })
}
