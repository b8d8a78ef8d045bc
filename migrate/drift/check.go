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

// Options say what schemas are compared with, and what is left out. The zero value compares
// everything with the structure that the migrations make.
type Options struct {
	ReadOptions

	// Reference is the expected structure: from [Reference], or of a schema that is known to be
	// correct. Default: nil, it is built once per call.
	Reference *Structure

	// Workers is how many batches of schemas are read at a time. Each worker takes a connection out of
	// the pool and closes it at the end. One batch per worker, and one more, is in memory. Default:
	// [migrate.DefaultWorkers]; at most the number of connections of the pool.
	Workers int

	// IgnoreGrants leaves out grants and default privileges.
	IgnoreGrants bool

	// IgnoreOwners leaves out the owners of objects.
	IgnoreOwners bool

	// IgnoreOrder leaves out the order of the columns of a table. The order only matters to SELECT *,
	// and to INSERT and COPY without a list of columns. A column that was dropped and added again is
	// the last.
	IgnoreOrder bool

	// ExtraTables are the unquoted names of tables that are not reported as unexpected, with all
	// objects that belong to them. They are added to [migrate.Config].ExtraTables. A table that the
	// reference has is always compared. Default: none.
	ExtraTables []string

	// Skip returns true for objects to leave out, such as those that tenants may create themselves. It
	// is called for each object, from one goroutine. Default: nil, nothing is left out.
	Skip func(Object) bool
}

// State is the outcome of the comparison of one schema. Its text is used in JSON.
type State string

// The states of a [Result].
const (
	Equal     State = "equal"     // the schema has the structure of the reference
	Different State = "different" // Differences has what differs
	Missing   State = "missing"   // the schema does not exist; the error is migrate.ErrSchemaMissing
	Invalid   State = "invalid"   // the name is not a tenant's schema; the error is a schemactx.NameError
	Failed    State = "failed"    // it could not be read because an object is locked; the error is the server's
	Newer     State = "newer"     // a newer program has migrated it; the error is migrate.ErrUnknownVersion
	// Edited is a schema that is equal, but files were edited and migrate.Config.Changed is Refuse.
	// The error is migrate.ErrChanged.
	Edited State = "edited"
)

// Result is the comparison of one schema with the reference.
type Result struct {
	Schema      string
	State       State
	Differences []Difference // in the order of a [Structure]
	Edited      []int64      // applied versions whose files have changed since, as in [migrate.SchemaState]
	Err         error        // why the schema could not be compared, or nil
}

// Check compares the structure of tenants' schemas with the reference. It reads the catalogs with
// one query for each batch, a few batches at a time. It reads the version tables for
// [migrate.Config.Changed] and to find schemas that a newer program has migrated; they do not
// affect the comparison. Check changes nothing. It locks no table, except that reading a view locks
// the tables of the view for a moment. The batches, the reference and the results of the schemas
// that are not equal are in memory.
//
// Partitions that were created at run time are the tenant's data and no difference, at any depth,
// if the reference has the partitioned table. A constraint, an index, a trigger, privileges or
// storage parameters that such a partition has and its parent does not have are differences. A
// partition that the reference has and the schema does not have is missing.
//
// The reference is at the newest version, so that a schema that is behind differs by its pending
// migrations. Differences are in the report and are no error; [Report.Err] returns one for them. A
// schema that does not exist has a result with the state [Missing]. With an error, the report has
// the schemas that were compared before it. ctx governs all queries.
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

// Each is [Check] with the results one by one, in the order of schemas, those of equal schemas too.
// An error is the last element, with an empty result. While the body of the loop runs, the next
// schemas are read over other connections.
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
func compareAll(
	ctx context.Context,
	r *migrate.Runner,
	schemas []string,
	ref reference,
	yield func(Result, error) bool,
) {
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

// notTenant returns the error for public or for the schema of the shared migrations.
func notTenant(schema string) error {
	if err := schemactx.ValidateName(schema); err != nil {
		return err
	}
	return &schemactx.NameError{Name: schema, Rule: "is the schema of the shared migrations"}
}
