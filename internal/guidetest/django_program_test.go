package guidetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/migrate/drift"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// This file has the code of migrate/DJANGO.md, in its order.

// client is a tenant of django-tenants.
type client struct {
	Schema, Name string
	Domain       string   // the primary one, or empty
	Domains      []string // the others
}

func clients(ctx context.Context, db *pgxpool.Pool) ([]client, error) {
	rows, err := db.Query(ctx, `select c.schema_name, c.name,
			coalesce((select domain from public.customers_domain where tenant_id = c.id and is_primary), ''),
			array(select domain from public.customers_domain where tenant_id = c.id and not is_primary order by id)
		from public.customers_client c where schema_name <> 'public' order by id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[client])
}

// adoption adopts tenants of django-tenants.
type adoption struct {
	administrator *pgxpool.Pool // a superuser, or a member of Django's role and of app_owner
	owner, django string        // names of the roles: app_owner, django
	runner        *migrate.Runner
	tenants       *tenancy.Manager
}

// newAdoption uses the pool of the login app_owner, and files with the migrations of tenants.
func newAdoption(administrator, ownerPool *pgxpool.Pool, owner, django string, files fs.FS) (*adoption, error) {
	runner, err := migrate.New(ownerPool, migrate.Config{
		Shared: []migrate.Source{{Name: "tenancy", FS: tenancy.Migrations()}},
		Tenant: []migrate.Source{{Name: "students", FS: files}},
	})
	if err != nil {
		return nil, err
	}
	tenants, err := tenancy.New(ownerPool, tenancy.Config{Migrator: runner})
	if err != nil {
		return nil, err
	}
	return &adoption{administrator, owner, django, runner, tenants}, nil
}

// last is the last migration of each app in TENANT_APPS.
var last = migrate.DjangoState{"students": "0002_student_country"}

const djangoGrants = `
	grant usage on schema %[1]s to %[3]s;
	grant select, insert, update, delete on all tables in schema %[1]s to %[3]s;
	grant usage, select on all sequences in schema %[1]s to %[3]s;
	alter default privileges for role %[2]s in schema %[1]s
		grant select, insert, update, delete on tables to %[3]s;
	alter default privileges for role %[2]s in schema %[1]s grant usage, select on sequences to %[3]s`

func (a *adoption) adopt(ctx context.Context, c client) (tenancy.Tenant, error) {
	err := pgx.BeginFunc(ctx, a.administrator, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local lock_timeout = '5s'"); err != nil {
			return err
		}
		if _, err := migrate.AdoptTx(ctx, tx, c.Schema, a.owner); err != nil {
			return err
		}
		return a.grantDjango(ctx, tx, c.Schema)
	})
	if err != nil {
		return tenancy.Tenant{}, err
	}
	if _, err := a.runner.BaselineDjango(ctx, c.Schema, 1, last); err != nil {
		return tenancy.Tenant{}, err
	}
	slug := strings.ReplaceAll(c.Schema, "_", "-")
	t, err := a.tenants.Create(ctx, tenancy.CreateParams{
		Slug: slug, Name: c.Name, Domain: c.Domain, Schema: c.Schema,
	})
	for _, domain := range c.Domains {
		if err == nil {
			_, err = a.tenants.AddDomain(ctx, slug, domain)
		}
	}
	return t, err
}

// grantDjango lets Django's login work with the rows of a schema.
func (a *adoption) grantDjango(ctx context.Context, tx pgx.Tx, schema string) error {
	quoted := func(name string) string { return pgx.Identifier{name}.Sanitize() }
	_, err := tx.Exec(ctx, fmt.Sprintf(djangoGrants, quoted(schema), quoted(a.owner), quoted(a.django)))
	return err
}

func (a *adoption) check(ctx context.Context, runtime *pgxpool.Pool, schemas []string) error {
	report, err := drift.Check(ctx, a.runner, schemas, drift.Options{IgnoreGrants: true})
	if err != nil {
		return err
	}
	safe, err := admin.Check(ctx, runtime, admin.CheckConfig{})
	return errors.Join(err, report.Err(), safe.Err())
}

// create creates a tenant that Django serves, too.
func (a *adoption) create(ctx context.Context, slug, name, domain string) (tenancy.Tenant, error) {
	t, err := a.tenants.Create(ctx, tenancy.CreateParams{Slug: slug, Name: name, Domain: domain})
	if err != nil {
		return t, err
	}
	return t, pgx.BeginFunc(ctx, a.administrator, func(tx pgx.Tx) error {
		if err := a.grantDjango(ctx, tx, t.Schema); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `with c as (
				insert into public.customers_client (schema_name, name, paid_until, on_trial, created_on)
				values ($1, $2, current_date, true, current_date) returning id
			) insert into public.customers_domain (domain, is_primary, tenant_id) select $3, true, id from c`,
			t.Schema, name, domain)
		return err
	})
}
