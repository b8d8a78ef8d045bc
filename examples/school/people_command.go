package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/examples/school/internal/demo"
	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// newLogins returns the command that shows who there is at the beginning. Who has changed a password since knows the new one.
func newLogins(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use: "logins", Short: "Show who of the demo can log in, and with what", Args: cobra.NoArgs,
		Example: "  school logins",
	}, func(cmd *cobra.Command, p *platform, _ []string) error {
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, who := range staffPeople {
			fmt.Fprintf(w, "console\tstaff\t%s\t%s\n", who.email, p.key.phrase(who.email))
		}
		for _, school := range demoSchools {
			for _, role := range demo.Roles {
				address := demo.Address(school.Slug, role)
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", school.Slug, role, address, p.key.phrase(address))
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "\nOne-time codes: school code ADDRESS, or have a telephone scan")
		for _, who := range staffPeople {
			fmt.Fprintln(cmd.OutOrStdout(), "  "+staff.URI(who.email, p.key.secret(who.email)))
		}
		return nil
	})
}

// newCode returns the command that prints what a telephone would show.
func newCode(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use: "code ADDRESS", Short: "Print the one-time code of somebody of the demo's staff", Args: cobra.ExactArgs(1),
		Example: "  school code " + staffPeople[0].email,
	}, func(cmd *cobra.Command, p *platform, args []string) error {
		if !slices.ContainsFunc(staffPeople, func(who person) bool { return who.email == args[0] }) {
			return errors.New("nobody of the demo's staff has that address; see school logins")
		}
		code, err := staff.Code(p.key.secret(args[0]), time.Now())
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), code)
		}
		return err
	})
}

// newUser returns the command that lets the first person into a school that a command has made.
func newUser(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use: "admin SCHOOL ADDRESS", Short: "Let somebody administer a school; the password is asked for, or read from the standard input",
		Args: cobra.ExactArgs(2), Example: "  school admin lakeside head@lakeside.example",
	}, func(cmd *cobra.Command, p *platform, args []string) error {
		ctx := cmd.Context()
		school, err := p.tenants.BySlug(ctx, args[0])
		if err != nil {
			return err
		}
		password, err := readPassword(cmd)
		if err != nil {
			return err
		}
		hash, err := erp.HashPassword(ctx, password)
		if err != nil {
			return err
		}
		//tenantvet:allow tenantswitch a command, by which an operator names the school
		err = schemactx.WithSchema(ctx, school.Schema, func(ctx context.Context) error {
			return p.db.InTx(ctx, func(tx pgx.Tx) error { return schools.AddAdmin(ctx, tx, args[1], hash) })
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s administers %s.\n", args[1], school.Slug)
		return p.log.Write(ctx, audit.Entry{
			Tenant: school.ID, Slug: school.Slug, Schema: school.Schema, Action: audit.Configuration,
			Details: map[string]any{"administrator": args[1]},
		})
	})
}

// own makes a command of the program's own.
func own(o *options, cmd cobra.Command, do func(cmd *cobra.Command, p *platform, args []string) error) *cobra.Command {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SetContext(audit.NewContext(cmd.Context(), audit.Caller{Actor: o.who()}))
		return withPlatform(cmd.Context(), o, cmd.ErrOrStderr(), func(p *platform) error { return do(cmd, p, args) })
	}
	return &cmd
}

// readPassword asks on a terminal, where it is not shown, and reads a line elsewhere.
func readPassword(cmd *cobra.Command) (string, error) {
	if in, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), "Password: ")
		password, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(password), err
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
