package manage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/tenancy"
)

func (m *mount) drop() *cobra.Command {
	cmd := m.verb(verb{
		use:   "drop SLUG",
		short: "Drop a tenant permanently",
		long: `Drop a tenant permanently: its schema with all tables, its role, its domains and its
registry row. Only a backup can bring the data back.

On a terminal it prints what will be lost and asks for the slug. Without a terminal a drop has two
steps. 'tenant drop request' prints what will be lost and a token. 'tenant drop confirm' with that
token and --yes drops the tenant. If the program requires a second person, that person approves the
request in between with 'tenant drop approve'. If it requires a recent backup, run 'backup' first.
The token expires, and only the person who made the request can use it.

An interrupted drop leaves the tenant with the status dropping. Run the command again to finish it.
If the slug is request, approve or confirm, use 'tenant drop confirm'.`,
		example: "  $0 tenant drop schoola\n  $0 tenant drop request schoola\n" +
			"  $0 tenant drop confirm schoola --token TOKEN --yes",
		codes:  map[int]string{CodeUnconfirmed: "", CodeMissing: ""},
		needs:  []need{needTenants},
		values: m.slugs,
		flags:  confirmFlags,
		run:    func(ctx context.Context, c *call) error { return c.destroy(ctx, "", c.dropIt) },
	})
	cmd.AddCommand(m.dropRequest(), m.dropApprove(), m.dropConfirm())
	return cmd
}

// confirmFlags adds the flags of a command that takes the token of a request.
func confirmFlags(f *pflag.FlagSet) {
	yesFlag(f)
	f.String(
		"token",
		"",
		"token of the request; - reads it from standard input, so that no process list shows it",
	)
	f.String("proof", "", "additional proof that the program requires, such as a one-time password")
}

// requestJSON is a request to drop a tenant, in JSON. Its field names are stable.
type requestJSON struct {
	ID          int64        `json:"id"`
	Token       string       `json:"token,omitempty"`
	Slug        string       `json:"slug"`
	Schema      string       `json:"schema,omitempty"` // the retained schema to drop; empty: the whole tenant
	Actor       string       `json:"actor"`
	RequestedAt time.Time    `json:"requested_at"`
	ExpiresAt   time.Time    `json:"expires_at"`
	ApprovedBy  string       `json:"approved_by,omitempty"`
	Contents    contentsJSON `json:"contents"`
}

// contentsJSON counts what will be lost. Rows is an estimate.
type contentsJSON struct {
	Tables     int       `json:"tables"`
	Rows       int64     `json:"rows"`
	Bytes      int64     `json:"bytes"`
	Domains    []string  `json:"domains"`
	LastBackup time.Time `json:"last_backup,omitzero"`
}

func toRequestJSON(r tenancy.DropRequest, lastBackup time.Time) requestJSON {
	j := requestJSON{
		ID:          r.ID,
		Token:       r.Token,
		Slug:        r.Tenant.Slug,
		Schema:      r.Schema,
		Actor:       r.Actor,
		RequestedAt: r.RequestedAt,
		ExpiresAt:   r.ExpiresAt,
		ApprovedBy:  r.ApprovedBy,
		Contents: contentsJSON{
			Tables:     r.Contents.Tables,
			Rows:       r.Contents.Rows,
			Bytes:      r.Contents.Bytes,
			Domains:    r.Contents.Domains,
			LastBackup: lastBackup,
		},
	}
	if j.Contents.Domains == nil {
		j.Contents.Domains = []string{}
	}
	return j
}

// subject returns a description of what will be dropped.
func (j requestJSON) subject() string {
	if j.Schema != "" {
		return "schema " + j.Schema + " of " + j.Slug
	}
	return j.Slug
}

// losses returns lines of text that say what will be lost.
func (c *call) losses(j requestJSON) []string {
	domains := "no domain"
	if n := len(j.Contents.Domains); n > 0 {
		domains = count(n, "domain") + " (" + strings.Join(j.Contents.Domains, ", ") + ")"
	}
	last := "there is no backup"
	switch {
	case c.Backups == nil:
		last = "this program makes no backups"
	case !j.Contents.LastBackup.IsZero():
		last = "the last backup was made " + age(j.Contents.LastBackup, time.Now()) + ", " + moment(j.Contents.LastBackup)
	}
	lost := j.Slug
	if j.Schema != "" {
		lost = fmt.Sprintf("Schema %s, which %s had before a restore,", j.Schema, j.Slug)
		domains = "no domain: tenant " + j.Slug + " stays"
	}
	return []string{
		fmt.Sprintf("%s will be dropped permanently:", lost),
		fmt.Sprintf("  %s with about %s, %s",
			count(j.Contents.Tables, "table"), count(j.Contents.Rows, "row"), size(j.Contents.Bytes)),
		"  " + domains,
		"  " + last,
	}
}

func (m *mount) dropRequest() *cobra.Command {
	return m.verb(verb{
		use: "request SLUG", short: "Request a drop: print what will be lost, and a token",
		long: `Request the drop or the erasure of a tenant. It prints what will be lost, and the token
that 'tenant drop confirm' and 'erase' require. It changes nothing else. The token is printed once,
and only you can use it.`,
		example: "  $0 tenant drop request schoola\n  $0 tenant drop request schoola --json | jq -r .token",
		codes:   map[int]string{CodeMissing: ""}, needs: []need{needTenants}, values: m.slugs,
		run: func(ctx context.Context, c *call) error {
			return c.request(ctx, "")
		},
	})
}

// request prints the token for the drop of a tenant, or of its retained schema.
func (c *call) request(ctx context.Context, retained string) error {
	j, err := c.requested(ctx, c.args[0], retained)
	if err != nil {
		return err
	}
	return c.result(j, func() {
		for _, line := range c.losses(j) {
			c.linef("%s", line)
		}
		c.fields("request", fmt.Sprint(j.ID), "token", j.Token, "expires", moment(j.ExpiresAt))
	})
}

// requested makes a request to drop a tenant, or only its retained schema.
func (c *call) requested(ctx context.Context, slug, retained string) (requestJSON, error) {
	ask := func() (tenancy.DropRequest, error) { return c.Tenants.RequestDrop(ctx, slug, c.actor) }
	if retained != "" {
		ask = func() (tenancy.DropRequest, error) { return c.Tenants.RequestConfirm(ctx, slug, retained, c.actor) }
	}
	r, err := ask()
	if err != nil {
		return requestJSON{}, err
	}
	last, err := c.lastBackup(ctx, r.Tenant.ID)
	return toRequestJSON(r, last), err
}

func (m *mount) dropApprove() *cobra.Command {
	return m.verb(verb{
		use:   "approve REQUEST",
		short: "Approve another person's drop request",
		long: `Approve the drop request of another person, by its number. It prints what will be lost and
asks for the slug. Without a terminal it needs --yes. The approval drops nothing: only the person
who made the request has the token. With the token of a tenant's drop that person can also run
'erase', which deletes the backups, too.`,
		example: "  $0 tenant drop approve 12",
		codes:   map[int]string{CodeUnconfirmed: "", CodeMissing: ""},
		needs:   []need{needTenants},
		flags:   yesFlag,
		run: func(ctx context.Context, c *call) error {
			id, err := strconv.ParseInt(c.args[0], 10, 64)
			if err != nil {
				return usagef("%q is not the number of a request", c.args[0])
			}
			r, err := c.Tenants.DropRequest(ctx, id)
			if err != nil {
				return err
			}
			last, err := c.lastBackup(ctx, r.Tenant.ID)
			if err != nil {
				return err
			}
			j := toRequestJSON(r, last)
			what := fmt.Sprintf("%s requests this drop: %s", r.Actor, strings.Join(c.losses(j), "\n"))
			if err := c.confirm(what, j.Slug); err != nil {
				return err
			}
			if r, err = c.Tenants.ApproveDrop(ctx, id, c.actor); err != nil {
				return err
			}
			return c.result(
				toRequestJSON(r, last),
				func() { c.linef("Approved: %s may drop %s until %s.", r.Actor, j.subject(), moment(r.ExpiresAt)) },
			)
		},
	})
}

func (m *mount) dropConfirm() *cobra.Command {
	return m.verb(verb{
		use:   "confirm SLUG",
		short: "Drop a tenant with the token of a request",
		long: `Drop a tenant permanently, with the token of 'tenant drop request'. On a terminal it asks
for the slug again. Without a terminal, and with --token -, it needs --yes.`,
		example: "  $0 tenant drop confirm schoola --token TOKEN --yes\n" +
			"  $0 tenant drop confirm schoola --token - --yes < token",
		codes:  map[int]string{CodeUnconfirmed: "", CodeMissing: ""},
		needs:  []need{needTenants},
		values: m.slugs,
		flags:  confirmFlags,
		run: func(ctx context.Context, c *call) error {
			if flagOf[string](c.cmd, "token") == "" {
				return usagef("--token is missing: %s prints one", c.hint("tenant", "drop", "request", c.args[0]))
			}
			return c.destroy(ctx, "", c.dropIt)
		},
	})
}

func (c *call) dropIt(ctx context.Context, p tenancy.DropParams) error {
	t, err := c.Tenants.Drop(ctx, p)
	if err != nil {
		return err
	}
	return c.result(toTenantJSON(t), func() { c.linef("Dropped %s, schema %s.", t.Slug, t.Schema) })
}

// destroy calls do after a confirmation: by the token of an earlier request, or by a new request
// for which the user types the slug. retained is the retained schema to drop; empty: the whole
// tenant.
func (c *call) destroy(
	ctx context.Context,
	retained string,
	do func(ctx context.Context, p tenancy.DropParams) error,
) error {
	p := tenancy.DropParams{Slug: c.args[0], Actor: c.actor, Proof: flagOf[string](c.cmd, "proof")}
	var err error
	if p.Token, err = c.token(); err != nil {
		return err
	}
	if p.Token != "" {
		subject := requestJSON{Slug: p.Slug, Schema: retained}.subject()
		what := fmt.Sprintf("This permanently drops what the request has listed: %s.", subject)
		if err := c.confirm(what, p.Slug); err != nil {
			return err
		}
		return do(ctx, p)
	}
	if !c.interactive() {
		command := []string{"tenant", "drop", "request"}
		if retained != "" {
			command = []string{"restore", "request"}
		}
		return &codeError{CodeUnconfirmed, fmt.Errorf(
			"there is no terminal to ask for confirmation: run %s, which prints a token, then use --token and --yes",
			c.hint(append(command, p.Slug)...))}
	}
	j, err := c.requested(ctx, p.Slug, retained)
	if err != nil {
		return err
	}
	for _, line := range c.losses(j) {
		c.note("%s", line)
	}
	if err := c.typed(p.Slug); err != nil { // --yes does not cover losses that the user has not seen yet
		return err
	}
	p.Token = j.Token
	err = do(ctx, p)
	if errors.Is(err, tenancy.ErrDropNotApproved) {
		c.note("Another person must approve request %d: %s. Then confirm with this token: %s",
			j.ID, c.hintForOther("tenant", "drop", "approve", strconv.FormatInt(j.ID, 10)), j.Token)
	}
	return err
}

// token returns the value of --token, or the line on standard input if that is "-".
func (c *call) token() (string, error) {
	token := flagOf[string](c.cmd, "token")
	if token != "-" {
		return token, nil
	}
	if !flagOf[bool](c.cmd, "yes") {
		return "", usagef("--token - needs --yes, because standard input is not free for an answer")
	}
	line, err := c.stdin.ReadString('\n')
	if token = strings.TrimSpace(line); token == "" {
		return "", usagef("standard input contains no token")
	}
	if err != nil && !isEOF(err) {
		return "", err
	}
	return token, nil
}
