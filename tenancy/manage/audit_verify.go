package manage

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) auditVerify() *cobra.Command {
	return m.verb(verb{
		use:   "verify [SLUG]",
		short: "Verify that the access log was not changed",
		long: `Verify that no row of the access log was changed, deleted or added: of one tenant, or of
all. A role that can write to all tables can delete the newest rows, or whole chains, without a
trace. To detect that, use --heads with a file that 'audit heads' wrote before and that was kept
where such a role cannot write.`,
		example: "  $0 audit verify schoola\n  $0 audit verify --heads /mnt/worm/heads.jsonl",
		codes:   map[int]string{CodeTampered: "", CodeMissing: ""},
		needs:   []need{needAudit},
		values:  m.slugs,
		flags: func(f *pflag.FlagSet) {
			f.Bool("platform", false, "verify the records that belong to no tenant")
			f.Int64("tenant-id", 0, "verify the tenant with this id, which may have been dropped")
			f.String("heads", "", "file that 'audit heads' wrote; - reads standard input")
		},
		run: verifyLog,
	})
}

// verifyJSON is the result of a verification, in JSON. Its field names are stable.
type verifyJSON struct {
	OK       bool          `json:"ok"`
	Rows     int64         `json:"rows"`
	Chains   int           `json:"chains"`
	Late     int64         `json:"late"` // rows received more than an hour after their time
	Problems []problemJSON `json:"problems"`
	More     int           `json:"more"` // number of problems that are not listed
}

type problemJSON struct {
	Kind   audit.ProblemKind `json:"kind"`
	Tenant int64             `json:"tenant"` // -1: not known
	Chain  string            `json:"chain"`
	From   int64             `json:"from"`
	To     int64             `json:"to"`
	Time   time.Time         `json:"time,omitzero"`
	Detail string            `json:"detail"`
}

func verifyLog(ctx context.Context, c *call) error {
	heads, err := c.heads()
	if err != nil {
		return err
	}
	id, named, err := c.logTenant(ctx)
	if err != nil {
		return err
	}
	var report audit.Report
	switch {
	case named && heads != nil:
		return usagef("--heads covers the whole log and cannot be combined with a tenant")
	case named:
		report, err = c.Audit.Verify(ctx, id)
	default:
		report, err = c.Audit.VerifyAll(ctx, audit.VerifyOptions{Heads: heads})
	}
	if err != nil {
		return err
	}
	j := verifyJSON{
		OK:       report.Err() == nil,
		Rows:     report.Rows,
		Chains:   report.Chains,
		Late:     report.Late,
		Problems: []problemJSON{},
		More:     report.More,
	}
	for _, p := range report.Problems {
		j.Problems = append(j.Problems, problemJSON{p.Kind, p.Tenant, p.Chain.String(), p.From, p.To, p.Time, p.Detail})
	}
	err = c.result(j, func() {
		for _, p := range report.Problems {
			c.linef("%s", p)
		}
		if j.More > 0 {
			c.linef("and %d more", j.More)
		}
		if j.OK {
			c.linef("Verified %s in %s: none was changed, and none is missing.", count(j.Rows, "row"), count(j.Chains, "chain"))
		}
	})
	if err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return &codeError{CodeTampered, err}
	}
	return nil
}

func (m *mount) auditHeads() *cobra.Command {
	return m.verb(verb{
		use:   "heads",
		short: "Print the heads of the chains of the access log",
		long: `Print the head of each chain of the access log as JSON, one object per line. Keep the
output where the owner of the database cannot write. 'audit verify --heads' then proves that all
rows until now still exist and are unchanged.`,
		example: "  $0 audit heads >> /mnt/worm/heads.jsonl",
		needs:   []need{needAudit},
		run: func(ctx context.Context, c *call) error {
			heads, err := c.Audit.Heads(ctx)
			if err != nil {
				return err
			}
			for _, h := range heads {
				if err := c.value(headJSON{h.Chain.String(), h.Month, h.Position, h.Digest.String()}); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// headJSON is the head of a chain. Its field names are stable, because the files are kept for
// years.
type headJSON struct {
	Chain    string    `json:"chain"`
	Month    time.Time `json:"month"`
	Position int64     `json:"position"`
	Digest   string    `json:"digest"`
}

// heads reads the chain heads from the file that --heads names. It returns nil without --heads.
func (c *call) heads() (heads []audit.ChainHead, err error) {
	path := flagOf[string](c.cmd, "heads")
	if path == "" {
		return nil, nil
	}
	in := io.Reader(c.stdin)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		h, err := parseHead(lines.Bytes())
		if err != nil {
			return nil, usagef("line %d of %s is not a chain head: %s", n, path, err)
		}
		heads = append(heads, h)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if heads == nil {
		return nil, usagef("%s contains no chain heads", path)
	}
	return heads, nil
}

func parseHead(line []byte) (h audit.ChainHead, err error) {
	var j headJSON
	if err := json.Unmarshal(line, &j); err != nil {
		return h, err
	}
	h.Month, h.Position = j.Month, j.Position
	if err := unhex(h.Chain[:], strings.ReplaceAll(j.Chain, "-", "")); err != nil {
		return h, fmt.Errorf("chain: %w", err)
	}
	if err := unhex(h.Digest[:], j.Digest); err != nil {
		return h, fmt.Errorf("digest: %w", err)
	}
	return h, nil
}

func unhex(dst []byte, text string) error {
	if len(text) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("has %d digits, not %d", len(text), hex.EncodedLen(len(dst)))
	}
	_, err := hex.Decode(dst, []byte(text))
	return err
}
