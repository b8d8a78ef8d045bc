package tenanttoken

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// CacheKey returns a key for parts in a cache that tenants share: "tenant:7:student:42" of the
// parts "student" and "42". No two tenants and no two lists of parts have the same key: ":", "%",
// spaces and control characters, which break protocols, are escaped as in URLs. The key contains
// the tenant's ID, which is never reused. If several databases share a cache, add a prefix for
// each.
//
// The error is [ErrNoTenant] without a tenant, and if the schema of ctx is not the tenant's, inside
// [schemactx.WithSchema] and [schemactx.WithPublic], because data read there does not belong to the
// tenant.
func CacheKey(ctx context.Context, parts ...string) (string, error) {
	t, err := scopedTenant(ctx)
	if err != nil {
		return "", fmt.Errorf("cache key: %w", err)
	}
	size := len("tenant:") + 20
	for _, part := range parts {
		size += 1 + len(part)
	}
	key := make([]byte, 0, size)
	key = strconv.AppendInt(append(key, "tenant:"...), t.ID, 10)
	for _, part := range parts {
		key = appendEscaped(append(key, ':'), part)
	}
	return string(key), nil
}

const hexDigits = "0123456789ABCDEF"

func appendEscaped(dst []byte, part string) []byte {
	if strings.IndexFunc(part, func(r rune) bool { return r < 0x80 && escaped(byte(r)) }) < 0 {
		return append(dst, part...)
	}
	for i := range len(part) {
		if c := part[i]; escaped(c) {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

func escaped(c byte) bool { return c <= ' ' || c == 0x7f || c == ':' || c == '%' }
