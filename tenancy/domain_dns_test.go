package tenancy_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/oryne/pgtenant/tenancy"
)

// nameServer answers queries for TXT records, over UDP on the loopback interface.
type nameServer struct {
	conn    net.PacketConn
	records map[string][]string // by full name; other names do not exist

	mu      sync.Mutex
	queried []string
}

func newNameServer(t *testing.T, records map[string][]string) *nameServer {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &nameServer{conn: conn, records: records}
	var wg sync.WaitGroup
	wg.Go(s.serve)
	t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	return s
}

// resolver returns a resolver of package net that asks only this server.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var msg dnsmessage.Message
		if msg.Unpack(buf[:n]) != nil || len(msg.Questions) != 1 {
			continue
		}
		if answer, err := s.answer(msg).Pack(); err == nil {
			_, _ = s.conn.WriteTo(answer, from)
		}
	}
}

func (s *nameServer) answer(msg dnsmessage.Message) *dnsmessage.Message {
	q := msg.Questions[0]
	s.mu.Lock()
	s.queried = append(s.queried, q.Name.String())
	s.mu.Unlock()
	msg.Response, msg.Additionals = true, nil
	txt, found := s.records[q.Name.String()]
	if !found {
		msg.RCode = dnsmessage.RCodeNameError
	}
	for _, record := range txt {
		msg.Answers = append(msg.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.TXTResource{TXT: []string{record}},
		})
	}
	return &msg
}

func TestDNSVerifierMatchesWholeRecord(t *testing.T) {
	t.Parallel()
	s := newNameServer(t, map[string][]string{
		"_pgtenant.good.example.com.":  {"v=spf1 -all", "TOKEN"},
		"_pgtenant.part.example.com.":  {"TOKEN2", "xTOKEN", "token", "TOKEN TOKEN"},
		"_pgtenant.empty.example.com.": {""},
		"apex.example.com.":            {"TOKEN"},
	})
	v := tenancy.DNSVerifier{Resolver: s.resolver()}
	for host, good := range map[string]bool{
		"good.example.com": true, "part.example.com": false, "empty.example.com": false,
		"apex.example.com": false, "none.example.com": false,
		strings.Repeat("a.", 124) + "com": false, // too long for the DNS with the label prepended
	} {
		err := v.Verify(t.Context(), tenancy.Domain{Host: host, Token: "TOKEN"})
		assert.Equal(t, good, err == nil, "%s: %v", host, err)
	}
	assert.Error(t, v.Verify(t.Context(), tenancy.Domain{Host: "empty.example.com"}),
		"an empty token matches an empty record")
	var dnsErr *net.DNSError
	err := v.Verify(t.Context(), tenancy.Domain{Host: "none.example.com", Token: "TOKEN"})
	if assert.ErrorAs(t, err, &dnsErr, "a name that does not exist") {
		assert.True(t, dnsErr.IsNotFound, "a name that does not exist: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.queried {
		assert.True(t, strings.HasSuffix(name, ".example.com.") && strings.HasPrefix(name, "_pgtenant."),
			"query for %q", name)
	}
	assert.Contains(t, s.queried, "_pgtenant.good.example.com.")
}

func TestVerifyDomainUsesDNS(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.insertTenant(t, "a", tenancy.Active)
	claim, err := f.tenants.ClaimDomain(t.Context(), "a", "shop.example.com")
	require.NoError(t, err)
	s := newNameServer(t, map[string][]string{"_pgtenant.shop.example.com.": {claim.Token}})
	tenants := f.manager(t, tenancy.Config{Domains: tenancy.DNSVerifier{Resolver: s.resolver()}})
	_, err = tenants.VerifyDomain(t.Context(), "a", "shop.example.com")
	require.NoError(t, err)
	f.expectHosts(t, "a", "a! shop")
}
