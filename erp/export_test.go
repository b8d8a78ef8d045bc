package erp

import "context"

// CheapHash returns a hash with outdated parameters.
func CheapHash(ctx context.Context, password string) string {
	costs := argon2id{memory: 64, time: 1, lanes: 1}
	key, err := costs.key(ctx, password, make([]byte, saltLen), hashLen)
	if err != nil {
		panic(err)
	}
	return costs.encode(make([]byte, saltLen), key)
}
