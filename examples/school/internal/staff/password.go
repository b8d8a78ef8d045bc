package staff

import (
	"context"
	"errors"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// passwordFits compares a password with a hash. An empty hash, a stranger's, fits none, and takes
// as long.
func passwordFits(ctx context.Context, hash platformuser.PasswordHash, password string) (bool, error) {
	_, err := erp.VerifyPassword(ctx, hash, password)
	if errors.Is(err, erp.ErrWrongPassword) {
		return false, nil
	}
	return err == nil, err
}
