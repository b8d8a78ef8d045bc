package main

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// person is somebody who can log in. The password, and what one-time codes are made of, come from
// the key of the data directory: whoever can read that file can be anybody here, and nobody else
// can.
type person struct{ email, name string }

// staffPeople are the platform's staff at first. They are two, as one alone can drop nothing.
var staffPeople = []person{
	{"ada@platform.example", "Ada Lindgren"},
	{"grace@platform.example", "Grace Okonkwo"},
}

func (k key) secret(email string) []byte { return k.derive("one-time codes of " + email)[:20] }

// openStaff makes what lets the platform's staff in.
func (p *platform) openStaff() (err error) {
	if p.signer, err = tenanttoken.NewSigner(p.key.derive("sessions")); err != nil {
		return err
	}
	p.staff, err = staff.New(staff.Config{
		Owner:       p.owner,
		Key:         p.key.derive("secrets of staff"),
		Signer:      p.signer,
		Log:         p.log,
		LoginFailed: p.metrics.LoginFailed,
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

// drops says what it takes to drop a school: two people, of whom the one who does it has a one-time
// code, a backup of the last day, and that all of it can be logged.
func (p *platform) drops() tenancy.DropConfig {
	code := tenancy.ApproverFunc(func(ctx context.Context, data tenancy.ApprovalData) error {
		return p.staff.CheckCode(ctx, data.Actor, data.Proof)
	})
	return tenancy.DropConfig{
		Enabled:  true,
		FourEyes: true,
		Approve:  p.log.ApproveDrop(code),
		Backups:  p.freshness(),
		Notify:   p.metrics.Drops(p.log.NotifyDrop),
	}
}
