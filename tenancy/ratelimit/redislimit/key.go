package redislimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

// tenantKey and callerKey return the names of buckets. They contain no text from a client.
func (s *Store) tenantKey(k ratelimit.AllowRequest) string {
	return string(appendLimit(append(s.prefix(k.Tenant), "t:"...), k.Policy.Tenant))
}

func (s *Store) callerKey(k ratelimit.AllowRequest) string {
	mac := hmac.New(sha256.New, s.cfg.Secret)
	mac.Write(s.prefix(k.Tenant)) // so that a caller has a different hash in each tenant
	mac.Write([]byte(k.Caller))
	to := append(s.prefix(k.Tenant), "c:"...)
	to = hex.AppendEncode(to, mac.Sum(nil)[:16])
	return string(appendLimit(append(to, ':'), k.Policy.Caller))
}

func (s *Store) prefix(tenant int64) []byte {
	to := append(make([]byte, 0, 128), s.cfg.Namespace...)
	return append(strconv.AppendInt(append(to, ':'), tenant, 10), ':')
}

// appendLimit appends the limit, because the content of a bucket is measured in its units.
func appendLimit(to []byte, l ratelimit.Limit) []byte {
	to = append(strconv.AppendInt(to, int64(l.Requests), 10), '/')
	to = append(strconv.AppendInt(to, int64(period(l)), 10), '/')
	return strconv.AppendInt(to, int64(l.Capacity()), 10)
}
