package localpg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/internal/hint"
)

const (
	superuser    = "postgres"
	startTimeout = 2 * time.Minute // includes the recovery of a kept cluster
	stopTimeout  = 30 * time.Second
	tellAfter    = 5 * time.Second // the interval at which Start logs that it still waits
)

// Server is a running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	cluster  *cluster
	process  *process
	bin      binaries
	port     int
	password string
	stop     sync.Once
	stopErr  error

	mu sync.Mutex // protects cluster.kept after Start, and keeps Keep out of the removal by Stop
}

// Start starts a server and returns when it accepts connections. ctx governs only the start. The
// error is a [NoBinariesError], [ErrForeignDirectory], [ErrInUse], [ErrVersion], [ErrDiskFull] or
// [ErrNotEnterable]. Other errors have the end of the server's log, if the server does not start.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	acct, err := serverAccount()
	if err != nil {
		return nil, err
	}
	sweep(acct, cfg.Logger)
	c, err := openCluster(cfg, acct)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, cfg, c)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	cfg.Logger.InfoContext(ctx, "PostgreSQL started", "version", s.bin.major, "port", s.port, "dir", c.dir)
	return s, nil
}

func openCluster(cfg Config, acct account) (*cluster, error) {
	if cfg.DataDir == "" {
		return openThrowaway(acct)
	}
	return openKept(cfg.DataDir, acct)
}

func start(ctx context.Context, cfg Config, c *cluster) (*Server, error) {
	major, err := c.major()
	if err != nil {
		return nil, err
	}
	b, err := findBinaries(ctx, cfg, major)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout) // a download has its own timeout
	defer cancel()
	if err := c.waitForPrevious(ctx); err != nil {
		return nil, err
	}
	if major == 0 {
		if err := c.init(ctx, b); err != nil {
			return nil, err
		}
	}
	s := &Server{cluster: c, bin: b}
	if s.password, err = c.password(); err != nil {
		return nil, err
	}
	for range 3 { // another process may take the port before the server does
		err = s.launch(ctx, cfg)
		if err == nil || !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// launch runs postgres on a free port and waits until it accepts connections.
func (s *Server) launch(ctx context.Context, cfg Config) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.port = port
	log, err := os.OpenFile(s.cluster.path("server.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the server has a descriptor of its own
	cmd := s.cluster.command(context.WithoutCancel(ctx), s.bin.path("postgres"), s.arguments(cfg)...)
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = startProcess(cmd); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := s.waitReady(ctx, cfg); err != nil {
		_ = s.process.os.Signal(immediateShutdown) // fails if the server has ended already
		<-s.process.done
		return err
	}
	return nil
}

func (s *Server) arguments(cfg Config) []string {
	settings := map[string]string{
		"port":                    strconv.Itoa(s.port),
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": s.cluster.socket,
		"logging_collector":       "off",
	}
	if !s.cluster.kept {
		maps.Copy(settings, map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
	}
	maps.Copy(settings, cfg.Settings)
	args := []string{"-D", s.cluster.path("data")}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// waitReady returns nil when a connection works, or an error if the server ends, ctx ends, or the
// server is ready but does not answer within readyTimeout.
func (s *Server) waitReady(ctx context.Context, cfg Config) error {
	var deaf time.Time // when the server was first seen ready and did not answer; zero: not yet
	tellAt := time.Now().Add(tellAfter)
	for {
		err := s.answers(ctx, cfg.readyTimeout)
		if err == nil {
			return nil
		}
		now := time.Now()
		if deaf.IsZero() && s.cluster.ready() {
			deaf = now
		}
		if now.After(tellAt) {
			cfg.Logger.WarnContext(ctx, "still waiting for PostgreSQL", "dir", s.cluster.dir, "error", err)
			tellAt = now.Add(tellAfter)
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("PostgreSQL does not start: %s", s.cluster.log())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w: %w; its log ends with: %s", ctx.Err(), err, s.cluster.log())
		case <-time.After(20 * time.Millisecond):
		}
		if !deaf.IsZero() && now.Sub(deaf) > cfg.readyTimeout {
			return fmt.Errorf("PostgreSQL is ready, and does not answer within %s: %w", cfg.readyTimeout, err)
		}
	}
}

// answers returns nil if a connection works, or the error of the attempt. The end of ctx does not
// end an attempt: its error would hide why the server does not answer.
func (s *Server) answers(ctx context.Context, limit time.Duration) error {
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	conn, err := pgconn.Connect(attempt, s.URL(superuser, "postgres"))
	if err != nil {
		return err
	}
	return conn.Close(attempt)
}

// URL returns the URL of a login and database over the server's socket, which needs no password.
// Only root and the user that the server runs as can use it.
func (s *Server) URL(user, database string) string {
	return socketURL(s.cluster.socket, s.port, user, database)
}

func socketURL(socket string, port int, user, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: "", Path: "/" + database}
	u.RawQuery = "host=" + socket + "&port=" + strconv.Itoa(port) // makeSocketDir makes a plain path
	return u.String()
}

// TCPURL returns the superuser's URL of a database over TCP. It contains the password.
func (s *Server) TCPURL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Version returns the server's major version.
func (s *Server) Version() int { return s.bin.major }

// Port returns the server's port on 127.0.0.1. The name of its socket contains it too.
func (s *Server) Port() int { return s.port }

// Dir returns the server's directory, with its data, log and marker.
func (s *Server) Dir() string { return s.cluster.dir }

// Keep makes Stop and every later Start keep the directory of a throw-away server. It returns the
// command that starts the server again.
func (s *Server) Keep() (command string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.WriteFile(s.cluster.path(markerFile), []byte(markKept), 0o644); err != nil {
		return "", err
	}
	s.cluster.kept = true
	socket := s.cluster.socket
	if socket != s.cluster.path("run") {
		socket = "" // close removes that directory, and the command works over TCP
	}
	args := []string{s.bin.path("postgres"), "-D", s.cluster.path("data"), "-k", socket, "-p", strconv.Itoa(s.port)}
	if s.cluster.account.drop {
		args = append([]string{"runuser", "-u", s.cluster.account.name, "--"}, args...)
	}
	return hint.Command(args...), nil
}

// Done returns a channel that is closed when the server has ended, by itself or by Stop.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop shuts the server down, ends its sessions, and removes the directory of a throw-away server.
// If the server has not ended after 30 seconds or when ctx ends, Stop requests an immediate
// shutdown. If that takes longer than 5 seconds, Stop kills the server. A second call returns the
// result of the first.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() {
		err := s.shutdown(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stopErr = errors.Join(err, s.cluster.close())
	})
	return s.stopErr
}

func (s *Server) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	for _, signal := range []os.Signal{fastShutdown, immediateShutdown, os.Kill} {
		if s.process.ended() {
			return nil
		}
		if err := s.process.os.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL: %w", err)
		}
		select {
		case <-s.process.done:
			return nil
		case <-ctx.Done():
		}
		ctx, cancel = context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
	}
	<-s.process.done
	return nil
}

// freePort returns a TCP port of 127.0.0.1 on which no process listens now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
