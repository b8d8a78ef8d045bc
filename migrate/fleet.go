package migrate

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// UpAllOptions say how to go over many schemas.
type UpAllOptions struct {
	// Workers is how many schemas are migrated at a time, each on a connection of its own.
	// Default: 4, and never more than the pool has connections.
	Workers int
}

// Report is what happened to each of many schemas.
type Report struct {
	Results  []Result // in the order of the schemas given
	Duration time.Duration
}

// Failed returns the results of the schemas that are not up to date.
func (r Report) Failed() []Result {
	var failed []Result
	for _, res := range r.Results {
		if res.Err != nil {
			failed = append(failed, res)
		}
	}
	return failed
}

// UpAll applies what is pending in each of schemas, as [Runner.Up] does. A schema that
// fails does not stop the others; the error is then [ErrIncomplete] with the first failure,
// and the report has them all. When ctx ends, those under way are rolled back and the rest
// is not started. It can be run again at any time.
func (r *Runner) UpAll(ctx context.Context, schemas []string, opts UpAllOptions) (Report, error) {
	start := time.Now()
	workers := min(cmp.Or(max(opts.Workers, 0), 4), int(r.pool.Config().MaxConns), len(schemas))
	report := Report{Results: make([]Result, len(schemas))}
	todo := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range todo {
				if err := ctx.Err(); err != nil {
					report.Results[i] = Result{Schema: schemas[i], Err: fmt.Errorf("migrate schema %q: not started: %w", schemas[i], err)}
					continue
				}
				report.Results[i], _ = r.Up(ctx, schemas[i]) // the error is in the result
			}
		})
	}
	for i := range schemas {
		todo <- i
	}
	close(todo)
	wg.Wait()
	report.Duration = time.Since(start)
	if failed := report.Failed(); len(failed) > 0 {
		return report, fmt.Errorf("%w: %d of %d failed, the first: %w", ErrIncomplete, len(failed), len(schemas), failed[0].Err)
	}
	return report, nil
}
