package web

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAClientIsOneForAllItsAddresses(t *testing.T) {
	t.Parallel()
	from := func(addr string) string {
		r := posted(formType, "")
		r.RemoteAddr = addr
		return Client(r)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:1000", "192.0.2.1:2000", true},
		{"192.0.2.1:1000", "192.0.2.2:1000", false},
		{"[2001:db8::1]:1000", "[2001:db8::ffff:2]:1000", true},
		{"[2001:db8::1]:1000", "[2001:db8:0:1::1]:1000", false},
		{"[::ffff:192.0.2.1]:1000", "192.0.2.1:1000", true},
	} {
		assert.Equal(t, c.same, from(c.a) == from(c.b), "%s and %s", c.a, c.b)
	}
	r := posted(formType, "")
	r.RemoteAddr, r.Header = "192.0.2.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7"}}
	assert.Equal(t, from("192.0.2.1:1"), Client(r), "a header changes the address of the client")
}
