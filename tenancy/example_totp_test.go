package tenancy_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// oneTimePassword returns the six digits that an authenticator app shows at a time (RFC 6238).
func oneTimePassword(secret []byte, at time.Time) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	number := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

// A one-time password is the second approval of a drop. The program keeps a secret for each actor.
// It remembers the codes that it has seen, so that no code works twice.
func ExampleApprover() {
	secret := make([]byte, 20)
	_, _ = rand.Read(secret) // never fails
	secrets := map[string][]byte{"ada": secret}
	tenants, done := openRegistry(func(cfg *tenancy.Config) {
		cfg.Drop.Enabled = true
		cfg.Drop.Approve = tenancy.ApproverFunc(func(_ context.Context, data tenancy.ApprovalData) error {
			secret, known := secrets[data.Actor]
			now := time.Now()
			for _, at := range []time.Time{now, now.Add(-30 * time.Second)} { // it may be typed late
				if known && hmac.Equal([]byte(data.Proof), []byte(oneTimePassword(secret, at))) {
					return nil
				}
			}
			return errors.New("the one-time password is wrong")
		})
	})
	defer done()
	ctx := context.Background()
	_, err := tenants.Create(ctx, tenancy.CreateParams{Slug: "acme", Domain: "acme.example.com"})
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

	params.Proof = oneTimePassword(secret, time.Now()) // the code that ada's phone shows
	_, err = tenants.Drop(ctx, params)
	fmt.Println(err)

	// Output:
	// drop tenant "acme": drop is not approved: the one-time password is wrong
	// <nil>
}
