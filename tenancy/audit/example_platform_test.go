package audit_test

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy/audit"
)

// platform is the fixture of the examples: a database with the log's tables, and a tenant.
type platform struct {
	Owner   *pgxpool.Pool
	Runtime *pgxpool.Pool
	DB      *schemactx.DB
	Log     *audit.Log
}

func newPlatform(cfg audit.Config) (p *platform, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	orPanic(err)
	orPanic(build(ctx, pg))
	roles := schemactx.DefaultRoleNames(pg.Name)
	p = &platform{}
	p.Owner, err = pgxpool.New(ctx, pg.URLAs(roles.Owner(), "o"))
	orPanic(err)
	p.Runtime, err = pgxpool.New(ctx, pg.URLAs(roles.Runtime(), "r"))
	orPanic(err)
	_, err = admin.Provision(ctx, p.Owner, roles, "tenant_1")
	orPanic(err)
	p.DB, err = schemactx.New(p.Runtime, schemactx.Config{})
	orPanic(err)
	p.Log, err = audit.Open(ctx, p.DB, cfg)
	orPanic(err)
	return p, func() {
		orPanic(p.Log.Close(ctx))
		p.Runtime.Close()
		p.Owner.Close()
		orPanic(closeDB())
	}
}

func (p *platform) reader() *audit.Reader {
	reader, err := audit.NewReader(p.Owner, audit.ReaderConfig{})
	orPanic(err)
	return reader
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
