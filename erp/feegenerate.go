package erp

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Generate charges every student who is in the class of a structure now, once: whoever has the
// structure's fee, also one that was cancelled, gets no other. So it is run again for students who
// have joined since, and after a failure. A structure that is not there is [ErrNotFound]; input that
// [Generation.Validate] refuses is an [InputError].
func (f Fees) Generate(ctx context.Context, structure int64, g Generation) (Generated, error) {
	insert, err := changing(ctx, f.noun)
	if err != nil {
		return Generated{}, f.failed("generate", err)
	}
	if err := g.Validate(); err != nil {
		return Generated{}, err
	}
	if _, err := NewFeeStructures(f.db).Get(ctx, structure); err != nil {
		return Generated{}, err
	}
	f.invoice(insert, structure, g.DueOn, "students")
	insert.add(" and students.class_id = s.class_id on conflict (student_id, fee_structure_id) do nothing returning id")
	made, err := f.ids(ctx, insert)
	if err != nil {
		return Generated{}, f.failed("generate", err)
	}
	return f.generated(ctx, structure, made)
}

// generated returns the fees of a structure, those that were made and the others.
func (f Fees) generated(ctx context.Context, structure int64, made []int64) (Generated, error) {
	result := Generated{Created: []Fee{}, Existing: []Fee{}}
	page := Page{Limit: MaxLimit}
	for {
		fees, next, err := f.List(ctx, FeeFilter{FeeStructureID: structure}, page)
		if err != nil {
			return Generated{}, err
		}
		for _, fee := range fees {
			if slices.Contains(made, fee.ID) {
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

func (f Fees) ids(ctx context.Context, s *statement) ([]int64, error) {
	rows, err := f.db.Query(ctx, s.text.String(), s.args...)
	if err != nil {
		return nil, fromDatabase(err, false)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return ids, fromDatabase(err, false)
}
