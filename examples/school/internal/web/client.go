package web

import (
	"net/http"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

var byIP = ratelimit.KeyByIP(nil) // the peer address: there is no proxy

// Client returns the client's address as the key of a rate limit. An IPv6 address counts as its
// /64, the smallest network that a client gets. Otherwise a client could use another address for
// each request.
func Client(r *http.Request) string { return byIP(r) }
