package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/oryne/pgtenant/schemactx"
)

// baseline records migrations whose objects exist already.
type baseline struct{ version int64 }

func (baseline) after([]step) stepSelector { return nil }

func (g baseline) steps(t target, s state) ([]step, error) {
	var steps []step
	there := 0
	for _, m := range t.set {
		if m.version > g.version {
			continue
		}
		steps = append(steps, step{m: m, dir: Up, ran: true})
		if s.has(m.version) {
			there++
		}
	}
	switch len(s.applied) {
	case 0:
		return steps, nil
	case there:
		if there == len(steps) {
			return nil, nil // an earlier Baseline has recorded them
		}
	}
	return nil, fmt.Errorf("%w: up to %d", ErrVersioned, s.newest())
}

// Baseline records all migrations up to and including version as applied, without running them. It
// is for a schema that had its tables before it had versions. [Newest] means all migrations of the
// sources. Baseline does not look at the tables, so compare the schema with a migrated one before
// you rely on it.
//
// Baseline is one transaction and can be run again. The error is [ErrVersioned] if any other
// version is applied, and [ErrNoMigration] if the sources do not have version, both with nothing
// recorded. The other errors are those of [Runner.Up]. Result.Applied has the versions.
func (r *Runner) Baseline(ctx context.Context, schema string, version int64) (Result, error) {
	return r.reach(ctx, schema, baseline{version})
}

// DjangoState is the last applied migration of each app of a Django project, such as {"students":
// "0012_fees", "auth": "0012_alter_user_first_name_max_length"}. An empty name means that none is
// applied. Apps that are not in it are not compared.
type DjangoState map[string]string

// djangoBaseline is a baseline of a schema that Django has created.
type djangoBaseline struct {
	baseline
	want DjangoState
}

// check compares what Django has applied, under the lock of the schema. Django cannot write its
// table meanwhile.
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

// BaselineDjango is [Runner.Baseline] for a schema that Django has created, such as django-tenants
// creates for each tenant. It requires that the schema's table django_migrations has the state
// want. Otherwise the error is a [DjangoError], and nothing is recorded. The table stays. Drop it
// when Django is no longer used.
//
// For new tenants, the sources begin with a migration that creates what Django has created. A good
// start for it is pg_dump --schema-only of one of the schemas. The schemas and tables belong to the
// role that Django has used; [Adopt] makes the owner role their owner.
func (r *Runner) BaselineDjango(ctx context.Context, schema string, version int64, want DjangoState) (Result, error) {
	if len(want) == 0 {
		err := errors.New("migrate: no app is named that says where Django is")
		return Result{Schema: schema, Err: err}, err
	}
	return r.reach(ctx, schema, djangoBaseline{baseline{version}, maps.Clone(want)})
}
