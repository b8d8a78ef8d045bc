package schools

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/platformuser"
)

// first is the first administrator of a school.
type first struct {
	user erp.NewUser
	hash platformuser.PasswordHash
}

type firstKey struct{}

// withFirst tells [Seed] who it is: the manager calls it with a child of this context.
func withFirst(ctx context.Context, f first) context.Context {
	return context.WithValue(ctx, firstKey{}, f)
}

// Pool is what Seed writes through: the handle on the runtime login.
type Pool interface {
	InTx(ctx context.Context, fn func(tx pgx.Tx) error) error
}

// Seed returns what makes the first administrator of a school, for [tenancy.Config]: the school is
// active behind that, so that there is none without. A school that is made without one, such as of
// the demo, gets none.
func Seed(db Pool) func(ctx context.Context, t *tenancy.Tenant) error {
	return func(ctx context.Context, _ *tenancy.Tenant) error {
		f, ok := ctx.Value(firstKey{}).(first)
		if !ok {
			return nil
		}
		return db.InTx(ctx, func(tx pgx.Tx) error {
			var there bool // of a run before, which was cut off behind it
			if err := tx.QueryRow(ctx, "select exists (select from users)").Scan(&there); err != nil || there {
				return err
			}
			return addAdmin(ctx, tx, f)
		})
	}
}

// AddAdmin lets somebody administer the school of ctx, with the hash of a password. An address that
// cannot be, or that somebody of the school has already, who stays as they are, is an
// [erp.InputError].
func AddAdmin(ctx context.Context, tx pgx.Tx, address string, hash platformuser.PasswordHash) error {
	return addAdmin(ctx, tx, first{erp.NewUser{Email: address, Name: "Administrator", Role: erp.RoleAdmin}, hash})
}

func addAdmin(ctx context.Context, tx pgx.Tx, f first) error {
	user, err := erp.NewUsers(tx).Create(erp.NewContext(ctx, erp.System()), f.user)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "update users set password_hash = $1 where id = $2", f.hash.Reveal(), user.ID)
	return err
}
