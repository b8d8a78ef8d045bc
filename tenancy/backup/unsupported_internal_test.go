package backup

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
)

// The server gives the same error for a row of more than 1 GB as for any string of that size. The
// string is cheaper to make.
func TestAValueTooLargeForCopyIsRefusedByName(t *testing.T) {
	t.Parallel()
	pg := pgtest.New(t)
	_, err := pg.Pool.Exec(t.Context(), "select repeat('x', 1100000000)")
	require.Error(t, err)
	refused := copyError("tenant_1", "notes", err)
	var unsupported *UnsupportedError
	require.ErrorAs(t, refused, &unsupported)
	require.Equal(t, "table notes", unsupported.Objects[0].Object)
	require.ErrorIs(t, refused, err)

	_, err = pg.Pool.Exec(t.Context(), "select 1/0")
	require.Equal(t, err, copyError("tenant_1", "notes", err))
	other := errors.New("storage is away")
	require.Equal(t, other, copyError("tenant_1", "notes", other))
	require.NoError(t, copyError("tenant_1", "notes", nil))
}
