package resolver_test

import (
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy is a TCP proxy between a pool and the server. It can interrupt the connections.
type proxy struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	conns map[net.Conn]bool
	cut   bool
	held  chan struct{} // no byte passes until it is closed; nil if bytes pass
}

// newProxy returns a proxy, and the URL of the runtime login through it.
func newProxy(t testing.TB, f *fixture) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(f.pg.URLAs(f.roles.Runtime(), "r"))
	require.NoError(t, err)
	p := &proxy{server: u.Host, conns: map[net.Conn]bool{}}
	p.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() { p.accept(&running) })
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.resume()
		p.drop(true)
		running.Wait()
	})
	u.Host = p.listener.Addr().String()
	return p, u.String()
}

func (p *proxy) accept(running *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil || !p.add(client, server) {
			_ = client.Close()
			continue
		}
		running.Go(func() { p.pass(client, server) })
		running.Go(func() { p.pass(server, client) })
	}
}

func (p *proxy) add(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		_ = server.Close()
		return false
	}
	p.conns[client], p.conns[server] = true, true
	return true
}

func (p *proxy) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if held := p.holding(); held != nil {
			<-held
		}
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

func (p *proxy) holding() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// hold stops all traffic without closing connections, as a silent network failure does.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = make(chan struct{})
}

// resume ends hold.
func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
}

// drop closes all connections. If cut is true, new connections are closed too.
func (p *proxy) drop(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
}
