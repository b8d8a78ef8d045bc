package main

import (
	"crypto/rand"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/oryne/pgtenant/examples/school/internal/demo"
	"github.com/oryne/pgtenant/examples/school/internal/staff"
)

// newLogins returns the command that shows the initial logins of the demo. It does not show a
// password that was changed since.
func newLogins(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use: "logins", Short: "Show the logins of the demo", Args: cobra.NoArgs,
		Example: "  $0 logins",
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
		fmt.Fprintf(cmd.OutOrStdout(), "\nOne-time codes: %s, or have a telephone scan\n", o.command("code", "ADDRESS"))
		for _, who := range staffPeople {
			fmt.Fprintln(cmd.OutOrStdout(), "  "+staff.URI(who.email, p.key.secret(who.email)))
		}
		return nil
	})
}

// newCode returns the command that prints the one-time code that an authenticator app would show.
func newCode(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use: "code ADDRESS", Short: "Print the one-time code of a staff member of the demo", Args: cobra.ExactArgs(1),
		Example: "  $0 code " + staffPeople[0].email,
	}, func(cmd *cobra.Command, p *platform, args []string) error {
		if !slices.ContainsFunc(staffPeople, func(who person) bool { return who.email == args[0] }) {
			return fmt.Errorf("no member of the demo's staff has that address: %s lists them", o.command("logins"))
		}
		fmt.Fprintln(cmd.OutOrStdout(), staff.Code(p.key.secret(args[0]), time.Now()))
		return nil
	})
}

// newHire returns the command that adds a member of the staff. The password and the secret are
// random and are only printed.
func newHire(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use: "hire ADDRESS NAME", Short: "Add a staff member, and show the login", Args: cobra.ExactArgs(2),
		Example: `  $0 hire edsger@platform.example "Edsger Holt"`,
	}, func(cmd *cobra.Command, p *platform, args []string) error {
		m := staff.Member{Email: args[0], Name: args[1], Password: rand.Text(), Secret: make([]byte, 20)}
		_, _ = rand.Read(m.Secret) // never fails
		if err := p.staff.Hire(cmd.Context(), m); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(),
			"%s can log in with the password %s and the one-time codes of\n  %s\nBoth are shown once.\n", m.Name, m.Password,
			staff.URI(m.Email, m.Secret))
		return nil
	})
}

// newDismiss returns the command that removes a member of the staff.
func newDismiss(o *options) *cobra.Command {
	return own(o, cobra.Command{
		Use: "dismiss ADDRESS", Short: "Remove a staff member", Args: cobra.ExactArgs(1),
		Example: "  $0 dismiss edsger@platform.example",
	}, func(cmd *cobra.Command, p *platform, args []string) error {
		if err := p.staff.Dismiss(cmd.Context(), args[0]); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s cannot log in any more, and is logged out.\n", args[0])
		return nil
	})
}
