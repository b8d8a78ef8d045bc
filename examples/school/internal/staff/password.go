package staff

import (
	"context"
	"errors"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// passwordFits compares a password with a hash. The empty hash of an unknown user matches no
// password, and the comparison takes as long as any other.
func passwordFits(ctx context.Context, hash platformuser.PasswordHash, password string) (bool, error) {
	_, err := erp.VerifyPassword(ctx, hash, password)
	if errors.Is(err, erp.ErrWrongPassword) {
		return false, nil
	}
	return err == nil, err
}
