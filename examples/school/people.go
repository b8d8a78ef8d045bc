package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/demo"
	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/tenancy"
)

// person is somebody who can log in. The password, and what one-time codes are made of, come from the key of the data directory: whoever
// can read that file can be anybody here, and nobody else can.
type person struct{ email, name string }

// staffPeople are the platform's staff at first. They are two, as one alone can drop nothing.
var staffPeople = []person{
	{"ada@platform.example", "Ada Lindgren"},
	{"grace@platform.example", "Grace Okonkwo"},
}

func (k key) secret(email string) []byte { return k.derive("one-time codes of " + email)[:20] }

// openStaff makes what lets the platform's staff in.
func (p *platform) openStaff() (err error) {
	if p.signer, err = tenancy.NewSigner(p.key.derive("sessions")); err != nil {
		return err
	}
	p.staff, err = staff.New(staff.Config{
		Owner: p.owner, Key: p.key.derive("secrets of staff"), Signer: p.signer, Log: p.log, LoginFailed: p.metrics.LoginFailed,
	})
	return err
}

// ensureStaff lets the first of them in: without, nobody could use the console.
func (p *platform) ensureStaff(ctx context.Context) error {
	for _, who := range staffPeople {
		err := p.staff.Ensure(ctx, staff.Member{
			Email: who.email, Name: who.name, Password: p.key.phrase(who.email), Secret: p.key.secret(who.email),
		})
		if err != nil {
			return fmt.Errorf("staff: %w", err)
		}
	}
	return nil
}

// drops says what it takes to drop a school: two people, of whom the one who does it has a one-time code, a backup of the last day, and that
// all of it can be logged.
func (p *platform) drops() tenancy.DropConfig {
	code := tenancy.ApproverFunc(func(ctx context.Context, data tenancy.ApprovalData) error {
		return p.staff.CheckCode(ctx, data.Actor, data.Proof)
	})
	return tenancy.DropConfig{
		Enabled: true, FourEyes: true, Approve: p.log.ApproveDrop(code), Backups: p.freshness(), Notify: p.metrics.Drops(p.log.NotifyDrop),
	}
}

// showLogins prints who there is at the beginning. Who has changed a password since knows the new one.
func showLogins(_ context.Context, p *platform, _ []string, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
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
	fmt.Fprintln(stdout, "\nOne-time codes: school code ADDRESS, or have a telephone scan")
	for _, who := range staffPeople {
		fmt.Fprintln(stdout, "  "+staff.URI(who.email, p.key.secret(who.email)))
	}
	return nil
}

// printCode prints what a telephone would show.
func printCode(_ context.Context, p *platform, args []string, stdout io.Writer) error {
	if !slices.ContainsFunc(staffPeople, func(who person) bool { return who.email == args[0] }) {
		return errors.New("nobody of the demo's staff has that address; see school logins")
	}
	code, err := staff.Code(p.key.secret(args[0]), time.Now())
	if err == nil {
		fmt.Fprintln(stdout, code)
	}
	return err
}

// hire makes a member of the staff, whose password and secret are random, and nowhere but in what is printed.
func hire(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	m := staff.Member{Email: args[0], Name: args[1], Password: rand.Text(), Secret: make([]byte, 20)}
	_, _ = rand.Read(m.Secret) // never fails
	if err := p.staff.Hire(ctx, m); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s can log in with the password %s and the one-time codes of\n  %s\nBoth are shown once.\n", m.Name, m.Password, staff.URI(m.Email, m.Secret))
	return nil
}

func dismiss(ctx context.Context, p *platform, args []string, stdout io.Writer) error {
	if err := p.staff.Dismiss(ctx, args[0]); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s cannot log in any more, and is logged out.\n", args[0])
	return nil
}
