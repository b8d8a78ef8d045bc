package main

import (
	"context"
	"fmt"

	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// person is a demo user who can log in. The password and the secret of one-time codes derive from
// the key of the data directory. A process that can read that key can log in as any of them; no
// other can.
type person struct{ email, name string }

// staffPeople are the first members of the staff. There are two, because a drop takes two people.
var staffPeople = []person{
	{"ada@platform.example", "Ada Lindgren"},
	{"grace@platform.example", "Grace Okonkwo"},
}

func (k key) secret(email string) []byte { return k.derive("one-time codes of " + email)[:20] }

// openStaff creates the signer of sessions and the staff login.
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

// ensureStaff creates the first members of the staff. Without them the console could not be used.
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

// drops returns the conditions for dropping a school: two people, a one-time code of the one who
// drops it, a backup of the last day, and a working access log.
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
