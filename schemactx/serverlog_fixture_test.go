package schemactx_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// logPrefix is the log_line_prefix that SERVERLOG.md recommends.
const logPrefix = "%m [%p]: user=%u,db=%d,app=%a,client=%h "

// loggingServer is a server that logs everything.
type loggingServer struct {
	server *localpg.Server
	admin  *pgxpool.Pool
}

func startLogging(t *testing.T) *loggingServer {
	t.Helper()
	server, err := localpg.Start(t.Context(), localpg.Config{Settings: map[string]string{
		"log_line_prefix": logPrefix, "log_statement": "all", "log_min_duration_statement": "0",
		"log_temp_files": "0", "log_lock_waits": "on", "deadlock_timeout": "10ms",
	}})
	var none *localpg.NoBinariesError
	if errors.As(err, &none) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	return &loggingServer{server: server, admin: openPool(t, server.TCPURL("postgres"), 2)}
}

// setup returns a fixture on a separate database.
func (s *loggingServer) setup(t *testing.T) *fixture {
	t.Helper()
	name := "l" + strings.ToLower(rand.Text()[:8])
	_, err := s.admin.Exec(t.Context(), "create database "+pgx.Identifier{name}.Sanitize())
	require.NoError(t, err)
	url := s.server.TCPURL(name)
	return setupOn(t, &pgtest.DB{URL: url, Name: name, Pool: openPool(t, url, 2), RolePrefix: name})
}

// onlySlow makes the server log statements when they have ended, as it logs slow ones.
func (s *loggingServer) onlySlow(t *testing.T, f *fixture) {
	t.Helper()
	_, err := s.admin.Exec(t.Context(), "alter database "+pgx.Identifier{f.pg.Name}.Sanitize()+" set log_statement = none")
	require.NoError(t, err)
}

// logEntry is one message of the log, with its further lines.
type logEntry struct {
	user, db, app, severity, text string
}

var logLine = regexp.MustCompile(
	`^\d{4}-\d\d-\d\d \S+ \S+ \[\d+\]: user=([^,]*),db=([^,]*),app=([^,]*),client=\S* ([A-Z]+\d?):  (.*)$`,
)

// entries returns the log entries about the fixture's database.
func (s *loggingServer) entries(t *testing.T, f *fixture) (all []logEntry) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.server.Dir(), "server.log"))
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		if m := logLine.FindStringSubmatch(line); m != nil {
			all = append(all, logEntry{m[1], m[2], m[3], m[4], m[5]})
		} else if more, ok := strings.CutPrefix(line, "\t"); ok && len(all) > 0 {
			all[len(all)-1].text += "\n" + more
		}
	}
	return slices.DeleteFunc(all, func(e logEntry) bool { return e.db != f.pg.Name })
}

// about returns the entries whose text contains mark.
func (s *loggingServer) about(t *testing.T, f *fixture, mark string) []logEntry {
	t.Helper()
	return slices.DeleteFunc(s.entries(t, f), func(e logEntry) bool { return !strings.Contains(e.text, mark) })
}

// logTries are the ways to run SQL. %s is replaced by a mark, by which the log entries are found.
var logTries = []struct {
	name string
	run  func(ctx context.Context, db *schemactx.DB, mark string) error
	fail bool
}{
	{name: "a statement", run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		_, err := db.Exec(ctx, "select '"+mark+"' from notes where id = $1", 1)
		return err
	}},
	{name: "a write", run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		_, err := db.Exec(ctx, "update notes set body = body where body <> '"+mark+"'")
		return err
	}},
	{name: "a statement with calls", run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		_, err := db.Exec(ctx, "select upper(current_setting('server_version')), '"+mark+"'")
		return err
	}},
	{name: "an error of the parser", fail: true, run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		_, err := db.Exec(ctx, "select nothing_"+mark)
		return err
	}},
	{name: "an error while it runs", fail: true, run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		_, err := db.Exec(ctx, "select '"+mark+"', 1/$1::int", 0)
		return err
	}},
	{name: "a batch", run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		b := &pgx.Batch{}
		b.Queue("select '"+mark+" one' from notes where id = $1", 1)
		b.Queue("update notes set body = body where body <> '" + mark + " two'")
		return db.SendBatch(ctx, b).Close()
	}},
	{name: "a transaction", run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "select '"+mark+" one' from notes where id = $1", 1); err != nil {
				return err
			}
			b := &pgx.Batch{}
			b.Queue("select '" + mark + " two'")
			if err := tx.SendBatch(ctx, b).Close(); err != nil {
				return err
			}
			_, err := tx.CopyFrom(ctx, pgx.Identifier{mark}, []string{"id"}, rowsOf())
			return err
		})
	}},
	{name: "a savepoint", run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			_ = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "select '"+mark+" one', 1/0")
				return err
			})
			_, err := tx.Exec(ctx, "select '"+mark+" two'")
			return err
		})
	}},
	{name: "an error of the commit", fail: true, run: func(ctx context.Context, db *schemactx.DB, mark string) error {
		return db.InTx(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into "+mark+" (id) values (1), (1)")
			return err
		})
	}},
}

// runLogTries runs all of them in a schema and returns their marks by name.
func runLogTries(t *testing.T, f *fixture, db *schemactx.DB, schema string) map[string]string {
	t.Helper()
	marks := make(map[string]string)
	for i, try := range logTries {
		mark := fmt.Sprintf("mark%d%s", i, schema[len(schema)-1:])
		marks[try.name] = mark
		f.exec(t, "create table if not exists "+schema+"."+mark+" (id int unique deferrable initially deferred)")
		for range 2 { // cold and warm
			err := try.run(in(t, schema), db, mark)
			assert.Equal(t, try.fail, err != nil, "%s: %v", try.name, err)
		}
	}
	return marks
}
