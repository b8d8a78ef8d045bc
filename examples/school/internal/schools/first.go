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

// withFirst adds the administrator to ctx for [Seed]. The manager calls Seed with a context derived
// from this one.
func withFirst(ctx context.Context, f first) context.Context {
	return context.WithValue(ctx, firstKey{}, f)
}

// Pool runs the transaction of Seed. It is the handle on the runtime login.
type Pool interface {
	InTx(ctx context.Context, fn func(tx pgx.Tx) error) error
}

// Seed returns the function for [tenancy.Config] that creates the first administrator of a school.
// The school becomes active after that, so that no active school lacks one. If the context has no
// administrator, as for the schools of the demo, it creates none.
func Seed(db Pool) func(ctx context.Context, t *tenancy.Tenant) error {
	return func(ctx context.Context, _ *tenancy.Tenant) error {
		f, ok := ctx.Value(firstKey{}).(first)
		if !ok {
			return nil
		}
		return db.InTx(ctx, func(tx pgx.Tx) error {
			var there bool // an interrupted run has already created the user
			if err := tx.QueryRow(ctx, "select exists (select from users)").Scan(&there); err != nil || there {
				return err
			}
			return addAdmin(ctx, tx, f)
		})
	}
}

// AddAdmin adds an administrator to the school of ctx, with the given password hash. It returns an
// [erp.InputError] if the address is invalid, or if a user of the school has it; that user is not
// changed.
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
