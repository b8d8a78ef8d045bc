package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/oryne/pgtenant/schemactx"
)

// DjangoState is the migration that each app of a Django project has applied last, such as
// {"students": "0012_fees", "auth": "0012_alter_user_first_name_max_length"}. An empty name stands
// for an app that has none. Apps that are not named are not looked at.
type DjangoState map[string]string

// djangoBaseline is a baseline of a schema that Django made.
type djangoBaseline struct {
	baseline
	want DjangoState
}

// check compares, under the lock of the schema, what Django has applied. Django waits meanwhile.
func (g djangoBaseline) check(ctx context.Context, s *session) error {
	table, err := schemactx.QuoteName(s.t.schema, "django_migrations")
	if err != nil {
		return err
	}
	results, err := s.read(ctx, []call{
		{sql: "lock table " + table + " in share mode"},
		{sql: "select distinct on (app) app::text, name::text from " + table + " order by app, id desc"},
	})
	if err != nil {
		return s.t.wrap(fmt.Errorf("django_migrations: %w", err))
	}
	got := make(DjangoState)
	for _, row := range results[1].Rows {
		got[string(row[0])] = string(row[1])
	}
	for _, app := range slices.Sorted(maps.Keys(g.want)) {
		if got[app] != g.want[app] {
			return &DjangoError{Schema: s.t.schema, App: app, Want: g.want[app], Got: got[app]}
		}
	}
	return nil
}

// BaselineDjango is [Runner.Baseline] for a schema that Django made, as django-tenants makes one
// for each tenant, provided that its table django_migrations says that it is where want says.
// Another state is a [DjangoError], with nothing written. The table stays: drop it when Django is
// gone.
//
// The sources begin with a migration that makes what Django has made, for new tenants: pg_dump
// --schema-only of one of the schemas is a good start. Schemas and tables belong to the role that
// Django used; [Adopt] gives them to the owner.
func (r *Runner) BaselineDjango(ctx context.Context, schema string, version int64, want DjangoState) (Result, error) {
	if len(want) == 0 {
		err := errors.New("migrate: no app is named that says where Django is")
		return Result{Schema: schema, Err: err}, err
	}
	return r.reach(ctx, schema, djangoBaseline{baseline{version}, maps.Clone(want)})
}
