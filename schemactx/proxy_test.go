package schemactx_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// proxy is between pools and PostgreSQL. It reads their messages, so that costs are counted on the
// wire and not inferred. It can delay each chunk as a network does: a delay costs time but no
// throughput, for any number of chunks in transit.
type proxy struct {
	delay    time.Duration // in each direction
	listener net.Listener
	network  string // of the server
	address  string // of the server
	running  sync.WaitGroup

	mu      sync.Mutex
	traffic traffic
	open    []net.Conn // both ends of every connection
	closed  bool
}

// newProxy returns a proxy to the server of url, which is closed at the end of the test.
func newProxy(t testing.TB, url string, delay time.Duration) *proxy {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	p := &proxy{delay: delay, traffic: newTraffic()}
	p.network, p.address = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	p.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// carry makes a pool's connections use the proxy, without encryption.
func (p *proxy) carry(cfg *pgxpool.Config) {
	address := p.listener.Addr().String()
	cfg.ConnConfig.TLSConfig = nil
	cfg.ConnConfig.Fallbacks = nil
	cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
}

// during returns the traffic while fn runs. No other user of the proxy may be active meanwhile.
func (p *proxy) during(fn func() error) (traffic, error) {
	p.mu.Lock()
	p.traffic = newTraffic()
	p.mu.Unlock()
	err := fn()
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.traffic
	p.traffic = newTraffic()
	return taken, err
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // the proxy is closed
		}
		server, err := new(net.Dialer).DialContext(context.Background(), p.network, p.address)
		if err != nil {
			client.Close()
			continue
		}
		p.join(client, server)
	}
}

// join starts to carry data between client and server.
func (p *proxy) join(client, server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		client.Close()
		server.Close()
		return
	}
	p.open = append(p.open, client, server)
	asked := false // the client has sent something since it last received something
	fromClient, fromServer := frames{untyped: true}, frames{}
	// Both directions are examined at the client. A delayed answer counts when it has reached the
	// client, so that a client which does not wait for it is seen not to wait.
	p.pump(server, client, func(data []byte) {
		asked = true
		fromClient.read(data, p.traffic.client)
	}, nil)
	p.pump(client, server, nil, func(data []byte) {
		if asked {
			p.traffic.trips++
		}
		asked = false
		fromServer.read(data, p.traffic.server)
	})
}

// chunk is some bytes in transit.
type chunk struct {
	data []byte
	due  time.Time
}

// pump carries chunks from src to dst until either ends, and then closes both. Under p.mu it calls
// arrived with each chunk read from src, and leaving before each is written to dst.
func (p *proxy) pump(dst, src net.Conn, arrived, leaving func([]byte)) {
	queue := make(chan chunk, 1<<12)
	p.running.Go(func() {
		defer close(queue)
		buf := make([]byte, 1<<16)
		for {
			n, err := src.Read(buf)
			if err != nil {
				return
			}
			c := chunk{bytes.Clone(buf[:n]), time.Now().Add(p.delay)}
			p.look(arrived, c.data)
			queue <- c
		}
	})
	p.running.Go(func() {
		defer func() {
			dst.Close()
			src.Close()
			for range queue { // so that the reader does not block
			}
		}()
		for c := range queue {
			time.Sleep(time.Until(c.due))
			p.look(leaving, c.data)
			if _, err := dst.Write(c.data); err != nil {
				return
			}
		}
	})
}

func (p *proxy) look(see func([]byte), data []byte) {
	if see == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	see(data)
}

// close ends all connections and returns when no goroutine of the proxy runs any more.
func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.listener.Close()
	for _, conn := range p.open {
		conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// openVia returns a pool whose connections use the proxy. Unlike pools by default, it does not ping
// connections that were idle for a second, because a ping is a round trip too.
func openVia(t testing.TB, p *proxy, url string, conns int32, options ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	cfg.MaxConns = conns
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	p.carry(cfg)
	for _, set := range options {
		set(cfg)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}
