package backup

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
)

func TestIsRefusal(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"23505": true, "P0001": true, "42501": true, "57P01": false, "08006": false,
		"": false, "2": false, "23": true, // codes that no PostgreSQL sends
	} {
		assert.Equal(t, want, isRefusal(fmt.Errorf("load: %w", &pgconn.PgError{Code: code})), "%q", code)
	}
	assert.False(t, isRefusal(errors.New("the connection is lost")))
}
