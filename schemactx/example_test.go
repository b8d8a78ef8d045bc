package schemactx_test

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/schemactx/admin"
)

// schools is the start of the examples: a separate database with the roles of Setup and the schemas
// school_a and school_b, each with a table of its first two students.
type schools struct {
	Roles schemactx.RoleNames

	Admin   *pgxpool.Pool // the administrator
	Owner   *pgxpool.Pool // migrates and provisions
	Runtime *pgxpool.Pool // serves requests
}

// newSchools panics if it fails. done closes the pools and drops the database.
func newSchools() (s *schools, done func()) {
	s, done = newDatabase()
	ctx := context.Background()
	for schema, students := range map[string]string{
		"school_a": "('Amara'), ('Bruno')",
		"school_b": "('Mateo'), ('Nadia')",
	} {
		_, err := admin.Provision(ctx, s.Owner, s.Roles, schema)
		orPanic(err)
		_, err = s.Owner.Exec(ctx, "create table "+schema+".students (id serial primary key, name text not null)")
		orPanic(err)
		_, err = s.Owner.Exec(ctx, "insert into "+schema+".students (name) values "+students)
		orPanic(err)
	}
	return s, done
}

// newDatabase is newSchools without a school.
func newDatabase() (s *schools, done func()) {
	ctx := context.Background()
	pg, closeDB, err := pgtest.Open(ctx)
	orPanic(err)
	s = &schools{Admin: pg.Pool}
	report, err := admin.Setup(ctx, pg.Pool, admin.SetupConfig{
		OwnerPassword: ownerPassword, RuntimePassword: runtimePassword,
	})
	orPanic(err)
	s.Roles = report.Roles
	s.Owner, err = pgxpool.New(ctx, pg.URLAs(s.Roles.Owner(), ownerPassword))
	orPanic(err)
	s.Runtime, err = pgxpool.New(ctx, pg.URLAs(s.Roles.Runtime(), runtimePassword))
	orPanic(err)
	return s, func() {
		s.Owner.Close()
		s.Runtime.Close()
		orPanic(closeDB())
	}
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
