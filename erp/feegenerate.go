package erp

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Generate charges every student who is in the class of a structure now. A student who has the
// structure's fee, even a cancelled one, gets no other. So Generate can be run again, for students
// who have joined the class since, and after a failure. If the structure does not exist, the error
// is [ErrNotFound]; if [Generation.Validate] refuses g, an [InputError].
func (f Fees) Generate(ctx context.Context, structure int64, g Generation) (Generated, error) {
	a, err := mayChange(ctx, f.entity)
	if err != nil {
		return Generated{}, f.failed("generate", err)
	}
	if err := g.Validate(); err != nil {
		return Generated{}, err
	}
	if _, err := NewFeeStructures(f.db).Get(ctx, structure); err != nil {
		return Generated{}, err
	}
	created, err := collect(
		ctx,
		f.db,
		a,
		pgx.RowTo[int64],
		insertFees+"students where students.class_id = s.class_id and "+
			a.session()+" on conflict (student_id, fee_structure_id) do nothing returning id",
		pgx.StrictNamedArgs{"fee_structure_id": structure, "due_on": g.DueOn},
	)
	if err != nil {
		return Generated{}, f.failed("generate", err)
	}
	return f.generated(ctx, structure, created)
}

// generated returns the fees of a structure, separated into those just created and the others.
func (f Fees) generated(ctx context.Context, structure int64, created []int64) (Generated, error) {
	result := Generated{Created: []Fee{}, Existing: []Fee{}}
	page := Page{Limit: MaxLimit}
	for {
		fees, next, err := f.List(ctx, FeeFilter{FeeStructureID: structure}, page)
		if err != nil {
			return Generated{}, err
		}
		for _, fee := range fees {
			if slices.Contains(created, fee.ID) {
				result.Created = append(result.Created, fee)
			} else {
				result.Existing = append(result.Existing, fee)
			}
		}
		if page.After = next; next == 0 {
			return result, nil
		}
	}
}
