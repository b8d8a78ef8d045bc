package drift

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/oryne/pgtenant/migrate"
	"github.com/oryne/pgtenant/schemactx"
)

// Options say what to compare with, and what is no matter. The zero value compares everything with what the
// migrations make.
type Options struct {
	ReadOptions

	// Reference is what the schemas should be: of [Reference], or a schema's that is known to be good. Nil: the
	// reference is built, once per call.
	Reference *Structure

	// Workers is how many batches of schemas are read at a time, each on a connection of its own that leaves the pool
	// and is closed. What is held in memory is a batch for each, and one. Default: [migrate.DefaultWorkers]. Never more than the pool
	// has connections.
	Workers int

	// IgnoreGrants leaves out who may do what: grants and default privileges.
	IgnoreGrants bool

	// IgnoreOwners leaves out whom objects belong to.
	IgnoreOwners bool

	// IgnoreOrder leaves out the order of the columns of a table. It matters to SELECT *, to INSERT and COPY without a list of
	// columns, and to nothing else; a column that was dropped and added again stands at the end.
	IgnoreOrder bool

	// ExtraTables are the unquoted names of more tables that are no difference, with all objects
	// that belong to them, in addition to [migrate.Config].ExtraTables. A table that the reference has is
	// compared anyway. Default: none.
	ExtraTables []string

	// Skip, where not nil, leaves out the objects for which it returns true: what tenants may have of their own.
	// It is called often, from one goroutine, and must be quick.
	Skip func(Object) bool
}

// State is what came of the comparison of one schema.
type State string

// The states of a [Result].
const (
	Equal     State = "equal"     // the schema is what it should be
	Different State = "different" // the differences say how
	Missing   State = "missing"   // there is no such schema; the error is migrate.ErrSchemaMissing
	Invalid   State = "invalid"   // that is no tenant's schema; the error is a schemactx.NameError
	Failed    State = "failed"    // it could not be read, as something in it is locked; the error is the server's
	Newer     State = "newer"     // a newer program has migrated it, which alone can compare it; the error is migrate.ErrUnknownVersion
	Edited    State = "edited"    // it is what it should be, but files were edited and migrate.Config.Changed is Refuse; the error is migrate.ErrChanged
)

// Result is how one schema differs from the reference.
type Result struct {
	Schema      string
	State       State
	Differences []Difference // in the order of a [Structure]
	Edited      []int64      // versions that are applied and whose files are others now, as [migrate.SchemaState] has them
	Err         error        // of a schema that could not be compared
}

// Check compares the real structure of tenants' schemas with the reference, whatever their version tables say of it. The
// version tables are read for [migrate.Config.Changed], and to find schemas of a newer program. Check changes nothing. It locks no
// table, except for a moment those that views show. It reads the catalogue with one query for each batch, a few at a time,
// and holds in memory these batches, the reference, and the results of the schemas that are not equal.
//
// Partitions that were made at run time, at any depth, of tables that the reference has, are the
// tenant's data and no difference. What such a partition has and its parent does not have is a
// difference: a constraint, an index, a trigger, other privileges, storage parameters. A partition
// that the reference has and the schema does not have is missing.
//
// The reference is at the newest version: a schema that is behind differs by what is pending. What differs is in the
// report and no error; [Report.Err] makes one of it. A schema that does not exist is a result like any other.
// With an error the report has the schemas until then. ctx governs everything.
func Check(ctx context.Context, r *migrate.Runner, schemas []string, opts Options) (Report, error) {
	start := time.Now()
	var report Report
	if opts.Reference == nil && len(schemas) > 0 {
		reference, err := Reference(ctx, r, opts.ReadOptions)
		if err != nil {
			return report, err
		}
		opts.Reference = &reference
	}
	if opts.Reference != nil {
		report.Reference = opts.Reference.Hash()
	}
	var err error
	for result, e := range Each(ctx, r, schemas, opts) {
		if e != nil {
			err = e
			break
		}
		report.Add(result)
	}
	report.Duration = time.Since(start)
	return report, err
}

// Each is [Check] for those who take the results one by one, equal ones too, in the order of schemas. An
// error is the last element, with an empty result. While the loop's body runs the next schemas are read, over other connections.
func Each(ctx context.Context, r *migrate.Runner, schemas []string, opts Options) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		if len(schemas) == 0 {
			return
		}
		opts.ExtraTables = append(r.Config().ExtraTables, opts.ExtraTables...)
		if opts.Reference == nil {
			reference, err := Reference(ctx, r, opts.ReadOptions)
			if err != nil {
				yield(Result{}, err)
				return
			}
			opts.Reference = &reference
		}
		compareAll(ctx, r, schemas, newReference(opts), yield)
	}
}

// compareAll compares schemas with the reference.
func compareAll(ctx context.Context, r *migrate.Runner, schemas []string, ref reference, yield func(Result, error) bool) {
	shared := r.Config().SharedSchema
	states := &stateReader{r: r, schemas: schemas}
	for s, err := range structures(ctx, r, schemas, ref.opts) {
		result := Result{Schema: s.Schema, State: Equal}
		var nameErr *schemactx.NameError
		switch {
		case errors.Is(err, migrate.ErrSchemaMissing):
			result.State, result.Err = Missing, err
		case s.Schema == schemactx.Public || s.Schema == shared:
			result.State, result.Err = Invalid, notTenant(s.Schema)
		case ofOneSchema(err):
			result.State, result.Err = Failed, err
		case errors.As(err, &nameErr):
			result.State, result.Err = Invalid, err
		case err != nil:
			yield(Result{}, fmt.Errorf("drift: %w", err))
			return
		default:
			if result.Differences = ref.compare(s); len(result.Differences) > 0 {
				result.State = Different
			}
			if err := states.judge(ctx, &result); err != nil {
				yield(Result{}, fmt.Errorf("drift: %w", err))
				return
			}
		}
		if !yield(result, nil) {
			return
		}
	}
}

// notTenant returns why public, or the schema of the shared migrations, is no tenant's.
func notTenant(schema string) error {
	if err := schemactx.ValidateName(schema); err != nil {
		return err
	}
	return &schemactx.NameError{Name: schema, Rule: "is the schema of the shared migrations"}
}
