package web

import (
	"net/http"

	"github.com/oryne/pgtenant/tenancy/ratelimit"
)

var byIP = ratelimit.KeyByIP(nil) // who connects: there is no proxy

// Client is who asks, for bounds on what one client may do: their address. One of IPv6 counts as
// its /64, the least that anybody gets, who could otherwise take another of its addresses for each
// request.
func Client(r *http.Request) string { return byIP(r) }
