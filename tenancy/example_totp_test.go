package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/oryne/pgtenant/tenancy"
)

// A one-time password is the second approval of a drop. The program keeps a secret for each actor.
// It remembers the codes that it has seen, so that no code works twice.
func ExampleApprover() {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "example.com", AccountName: "ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	secrets := map[string]string{"ada": key.Secret()}
	tenants, done := openPlatform(func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
		cfg.Drop.Approve = tenancy.ApproverFunc(func(_ context.Context, data tenancy.ApprovalData) error {
			secret, known := secrets[data.Actor]
			if !known || !totp.Validate(data.Proof, secret) {
				return errors.New("the one-time password is wrong")
			}
			return nil
		})
	})
	defer done()
	ctx := context.Background()
	_, err = tenants.Create(ctx, tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := tenants.RequestDrop(ctx, "acme", "ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	params := tenancy.DropParams{Slug: "acme", Actor: "ada", Token: request.Token, Proof: "none"}
	_, err = tenants.Drop(ctx, params)
	fmt.Println(err)

	params.Proof, err = totp.GenerateCode(key.Secret(), time.Now()) // the code that ada's phone shows
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tenants.Drop(ctx, params)
	fmt.Println(err)

	// Output:
	// drop tenant "acme": drop is not approved: the one-time password is wrong
	// <nil>
}
