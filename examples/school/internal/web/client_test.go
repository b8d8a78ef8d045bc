package web

import (
	"net/http"
	"testing"
)

func TestAClientHasOneNameHoweverManyAddressesItHas(t *testing.T) {
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
		if same := from(c.a) == from(c.b); same != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, same)
		}
	}
	r := posted(formType, "")
	r.RemoteAddr, r.Header = "192.0.2.1:1", http.Header{"X-Forwarded-For": {"198.51.100.7"}}
	if Client(r) != from("192.0.2.1:1") {
		t.Error("a client chooses its name by a header")
	}
}
