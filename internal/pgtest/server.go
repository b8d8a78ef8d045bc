package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/internal/localpg"
)

// startTimeout limits the start of a server. The first start with a container engine compiles a
// module and may pull an image.
const startTimeout = 5 * time.Minute

// server is the PostgreSQL server of this test binary.
type server struct {
	url   string // the administrator's URL of the database postgres
	admin *pgxpool.Pool
	stop  func(keep bool) error // keep: keep the server's directory, as a test has failed
}

// shared holds the server of this test binary. theServer starts it, and Main stops it.
var shared struct {
	main   bool // Main has been called
	once   sync.Once
	server *server
	err    error

	mu        sync.Mutex
	templates []string // databases to drop at the end
	prefixes  []string // prefixes of the roles to drop at the end
}

// serverSettings make tests fast. The server does not survive a crash and does not need to.
var serverSettings = map[string]string{
	"max_connections": "200", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
	"max_prepared_transactions": "20", // as on some production servers
}

// theServer returns the server of this test binary. The first call starts it. Every call returns
// the same server or error.
func theServer() (*server, error) {
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.server, shared.err = startServer(ctx, readEnviron())
	})
	return shared.server, shared.err
}

func startServer(ctx context.Context, e environ) (*server, error) {
	src, err := pick(e, engineAnswers)
	if err != nil {
		return nil, err
	}
	s := &server{}
	switch src {
	case fromURL:
		s.url, s.stop = e.url, func(bool) error { return nil }
	case fromDocker:
		s.url, s.stop, err = startContainer(ctx)
	default:
		err = s.startLocal(ctx, src)
	}
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL from %s: %w", src, err)
	}
	if s.admin, err = pgxpool.New(ctx, s.url); err == nil {
		err = s.admin.Ping(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("PostgreSQL from %s: %w", src, err), s.stop(false))
	}
	return s, nil
}

func (s *server) startLocal(ctx context.Context, src source) error {
	from := map[source]localpg.From{
		fromLocal:    localpg.Installed,
		fromDownload: localpg.Downloaded,
		fromMachine:  localpg.Anywhere,
	}
	local, err := localpg.Start(ctx, localpg.Config{From: from[src], Settings: serverSettings})
	if err != nil {
		return err
	}
	s.url = local.TCPURL("postgres")
	s.stop = func(keep bool) error {
		if keep {
			command, err := local.Keep()
			if err != nil {
				return errors.Join(err, local.Stop(context.Background()))
			}
			fmt.Fprintf(
				os.Stderr,
				"pgtest: the databases of failed tests are kept; start their server again with:\n\t%s\n",
				command,
			)
			if os.Getenv("TEST_PG_KEEP") != "" {
				waitForInterrupt()
			}
		}
		return local.Stop(context.Background())
	}
	return nil
}

// urlOf returns the administrator's URL of another database.
func (s *server) urlOf(database string) string {
	u, err := url.Parse(s.url)
	if err != nil {
		panic(err) // the pool has parsed it
	}
	u.Path = "/" + database
	return u.String()
}
