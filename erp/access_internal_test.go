package erp

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rewriter is a Querier that replaces the names of a statement as pgx does, and returns an error in
// place of rows.
type rewriter struct{ args []any }

func (q *rewriter) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	_, positional, err := args[0].(pgx.QueryRewriter).RewriteQuery(ctx, nil, sql, nil)
	if err != nil {
		return nil, err
	}
	q.args = positional
	return nil, context.Canceled
}

func TestAMisspeltNameOfAnArgumentIsAnError(t *testing.T) {
	t.Parallel()
	viewer := access{viewer: Viewer{UserID: 7, Generation: 3, Role: RoleParent}, entity: classEntity}
	for name, c := range map[string]struct {
		sql  string
		args pgx.StrictNamedArgs
		want error // context.Canceled if the statement is sent
	}{
		"right":         {"select @id, @viewer_id, @viewer_id", pgx.StrictNamedArgs{"id": 1}, context.Canceled},
		"no argument":   {"select 1 from classes", nil, context.Canceled},
		"in the SQL":    {"select @idd", pgx.StrictNamedArgs{"id": 1}, nil},
		"in the args":   {"select @id", pgx.StrictNamedArgs{"id": 1, "naem": 2}, nil},
		"of the viewer": {"select @viewer_ids", pgx.StrictNamedArgs{}, nil},
	} {
		q := &rewriter{}
		_, err := collect(t.Context(), q, viewer, pgx.RowTo[int64], c.sql, c.args)
		require.Error(t, err, name)
		if c.want != nil {
			assert.ErrorIs(t, err, c.want, name)
			continue
		}
		assert.NotErrorIs(t, err, context.Canceled, name)
		assert.ErrorContains(t, err, "StrictNamedArgs", name)
	}
	q := &rewriter{}
	_, err := collect(t.Context(), q, viewer, pgx.RowTo[int64], "select "+viewer.visible(), nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.ElementsMatch(t, []any{int64(7), int64(3), RoleParent}, q.args)
}
