package manage

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/audit"
)

func (m *mount) init() *cobra.Command {
	cmd := m.verb(verb{
		use:   "init",
		short: "Set up a database: roles and shared tables",
		long: `Set up a database: create the shared roles and revoke from PUBLIC what tenants must not
have, install the extensions that the program names and put them on every tenant's search path,
apply the shared migrations, and run the program's own set-up. It prints what it did, and can be run
again. If the administrator's login lacks a privilege, or the server lacks an extension, it does the
rest, and prints what is missing and who can do it.

With --harden it also revokes privileges with which a statement could leave the scope of its tenant.
This needs a superuser, and changes the privileges of all roles in this database.

A backup in the store belongs to the database whose identity is in its name. A copy of a database,
for instance by pg_dump, has the identity of the original. --new-identity gives the copy its own
identity: run it before anything else uses the copy. Backups made under the previous identity then
count as those of another database. It asks for confirmation. Without a terminal it needs --yes.

Roles and hardening use the administrator's login that the program has configured. Everything else
uses the owner's login.`,
		example: "  $0 init\n  $0 init --harden --json",
		codes: map[int]string{
			CodeUnconfirmed: "",
			CodeIncomplete:  "a privilege or an extension is missing, or --harden could not revoke everything: see the output",
		},
		flags: func(f *pflag.FlagSet) {
			f.Bool("harden", false, "revoke privileges of PUBLIC that break the isolation")
			f.Bool("new-identity", false, "give a copied database its own identity")
			yesFlag(f)
		},
	})
	cmd.RunE = m.runInit // runInit needs no App first: the program's logins may not exist yet
	return cmd
}

// initJSON is the result of init, in JSON. Its field names are stable.
type initJSON struct {
	Roles      map[string]string `json:"roles"` // by the keys owner, runtime and public
	Actions    []actionJSON      `json:"actions"`
	Migrations bool              `json:"migrations"`         // whether the shared migrations are applied
	Hardened   bool              `json:"hardened"`           // whether Harden has revoked all that it should
	Identity   string            `json:"identity,omitempty"` // the new identity, with --new-identity
}

// actionJSON is the outcome of one action of init.
type actionJSON struct {
	What    string `json:"what"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

func (m *mount) runInit(cmd *cobra.Command, args []string) error {
	actor, err := m.cfg.Actor()
	if err != nil {
		return fmt.Errorf("find out who runs the command: %w", err)
	}
	ctx := audit.NewContext(cmd.Context(), audit.Caller{Actor: actor})
	c := m.newCall(cmd, args)
	if flagOf[bool](cmd, "new-identity") {
		const what = "The backups that this database has made until now will count as those of another database."
		if err := c.confirm(what, "new"); err != nil {
			return err
		}
	}
	done := initJSON{Actions: []actionJSON{}}
	incomplete, err := m.initRoles(ctx, c, &done)
	if err != nil {
		return err
	}
	if err := m.initTables(ctx, c, &done); err != nil {
		if incomplete == nil {
			return err
		}
		// The likely reason is a privilege that the administrator lacks. So report both errors, and the
		// actions that were done.
		incomplete = &codeError{
			CodeIncomplete,
			errors.Join(incomplete, fmt.Errorf("the shared tables were not created: %w", err)),
		}
	}
	if err := c.result(done, func() { c.initDone(done) }); err != nil {
		return err
	}
	return incomplete
}

// initRoles does what needs the administrator's login. incomplete is the error of the actions that
// failed; all others are done.
func (m *mount) initRoles(ctx context.Context, c *call, done *initJSON) (incomplete, err error) {
	if m.cfg.Admin == nil {
		return nil, notConfigured("an administrator's login, which init needs")
	}
	login, err := m.cfg.Admin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closing(ctx, login.Close)) }()
	setup, err := admin.Setup(ctx, login.DB, login.Setup)
	if err != nil {
		return nil, err
	}
	r := setup.Roles
	done.Roles = map[string]string{"owner": r.Owner(), "runtime": r.Runtime(), "public": r.Public()}
	for _, a := range setup.Actions {
		done.Actions = append(done.Actions, adminAction(a))
	}
	for _, a := range setup.Extensions {
		done.Actions = append(done.Actions, extensionAction(a))
	}
	if err := setup.Err(); err != nil {
		incomplete = &codeError{CodeIncomplete, err}
	}
	if !flagOf[bool](c.cmd, "harden") {
		return incomplete, nil
	}
	hardened, err := admin.Harden(ctx, login.DB, r)
	if err != nil {
		return nil, err
	}
	done.Hardened = hardened.Complete()
	for _, a := range hardened.Actions {
		done.Actions = append(done.Actions, adminAction(a))
	}
	if !done.Hardened && incomplete == nil {
		incomplete = &codeError{CodeIncomplete, errors.New("--harden could not revoke everything: run it as a superuser")}
	}
	return incomplete, nil
}

// adminAction returns the outcome of an action of package admin, in JSON.
func adminAction(a admin.Action) actionJSON {
	done := actionJSON{What: a.What, Outcome: a.Outcome.String()}
	if a.Err != nil {
		done.Reason = a.Err.Error()
	}
	return done
}

// extensionAction returns the outcome of an extension, in JSON.
func extensionAction(a admin.ExtensionAction) actionJSON {
	what := fmt.Sprintf("extension %q", a.Name)
	if a.Schema != "" {
		what += fmt.Sprintf(" in schema %q", a.Schema)
	}
	done := actionJSON{What: what, Outcome: a.Outcome.String()}
	if a.Err != nil {
		done.Reason = a.Err.Error()
	}
	return done
}

// initTables does what needs the owner's login.
func (m *mount) initTables(ctx context.Context, c *call, done *initJSON) (err error) {
	app, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, app.Close)) }()
	switch {
	case app.Tenants != nil:
		err = app.Tenants.Init(ctx)
		done.Migrations = err == nil
	case app.Migrations != nil:
		_, err = app.Migrations.Up(ctx, app.Migrations.SharedSchema())
		done.Migrations = err == nil
	}
	if err == nil && flagOf[bool](c.cmd, "new-identity") {
		if err = needTenants(app); err == nil {
			done.Identity, err = app.Tenants.RenewIdentity(ctx)
		}
	}
	if err == nil && app.Init != nil {
		err = app.Init(ctx)
	}
	return err
}

func (c *call) initDone(done initJSON) {
	for _, a := range done.Actions {
		line := a.Outcome + ": " + a.What
		if a.Reason != "" {
			line += " (" + a.Reason + ")"
		}
		c.linef("%s", line)
	}
	if done.Migrations {
		c.linef("The shared tables are up to date.")
	}
	if done.Identity != "" {
		c.linef("The new identity of this database is %s.", done.Identity)
	}
	c.note("The owner role is %s, the runtime login is %s.", done.Roles["owner"], done.Roles["runtime"])
}
