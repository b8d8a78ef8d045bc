package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// demoSchool is a school of the demo and its students, made up.
type demoSchool struct {
	slug, name, domain string
	plan               string
	prefix             string // of the admission numbers
	students           [][2]string
}

var demoSchools = []demoSchool{
	{
		slug: "schoola", name: "School A", domain: "schoola.localhost", plan: basicPlan, prefix: "A",
		students: [][2]string{
			{"Amara", "Okafor"},
			{"Bruno", "Keller"},
			{"Chandra", "Iyer"},
			{"Daniela", "Rossi"},
			{"Emil", "Novak"},
			{"Fatima", "Haddad"},
			{"Gabriel", "Moreau"},
			{"Hana", "Sato"},
			{"Ivan", "Petrov"},
			{"Jasmin", "Weber"},
			{"Kofi", "Mensah"},
			{"Leila", "Nasser"},
		},
	},
	{
		slug: "schoolb", name: "School B", domain: "schoolb.localhost", plan: premiumPlan, prefix: "B",
		students: [][2]string{
			{"Mateo", "Fernández"},
			{"Nadia", "Karim"},
			{"Oskar", "Lindqvist"},
			{"Priya", "Sharma"},
			{"Quentin", "Dubois"},
			{"Rosa", "Almeida"},
			{"Samuel", "Adeyemi"},
			{"Tuuli", "Virtanen"},
			{"Uma", "Reddy"},
			{"Viktor", "Horvat"},
			{"Wanjiru", "Kamau"},
			{"Yusuf", "Demir"},
		},
	},
}

// createDemo makes the schools of the demo that are not there, and goes on with one that an
// earlier start could not finish.
func (p *platform) createDemo(ctx context.Context) error {
	for _, school := range demoSchools {
		t, err := p.ensureSchool(ctx, school)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if t.Status != tenancy.Active {
			continue // somebody has suspended it
		}
		//tenantvet:allow tenantswitch the demonstration fills both schools before there are requests
		err = schemactx.WithSchema(ctx, t.Schema, func(ctx context.Context) error {
			return p.ensureStudents(ctx, school)
		})
		if err != nil {
			return fmt.Errorf("demo: students of %s: %w", school.name, err)
		}
	}
	return nil
}

func (p *platform) ensureSchool(ctx context.Context, s demoSchool) (tenancy.Tenant, error) {
	t, err := p.tenants.BySlug(ctx, s.slug)
	switch {
	case errors.Is(err, tenancy.ErrNotFound):
		t, err = p.tenants.Create(ctx, tenancy.CreateParams{Slug: s.slug, Name: s.name, Domain: s.domain})
	case err == nil && t.Status == tenancy.Provisioning:
		t, err = p.tenants.Resume(ctx, s.slug)
	}
	if err != nil || t.Status != tenancy.Active || t.Plan != "" {
		return t, err
	}
	return p.tenants.Update(ctx, t, tenancy.Changes{Plan: &s.plan}) // also of a school from before there were plans
}

// ensureStudents admits the students of an empty school, all or none.
func (p *platform) ensureStudents(ctx context.Context, s demoSchool) error {
	ctx = erp.NewContext(ctx, erp.System())
	return p.db.InTx(ctx, func(tx pgx.Tx) error {
		var any bool
		if err := tx.QueryRow(ctx, "select exists (select from students)").Scan(&any); err != nil || any {
			return err
		}
		students := erp.NewStudents(tx)
		for i, name := range s.students {
			_, err := students.Create(ctx, erp.NewStudent{
				AdmissionNumber: fmt.Sprintf("%s-%03d", s.prefix, i+1),
				FirstName:       name[0],
				LastName:        name[1],
				DateOfBirth:     new(erp.NewDate(2012+i%4, time.Month(1+i), 3+2*i)),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
