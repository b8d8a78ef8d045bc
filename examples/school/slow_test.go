package main

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// Who sends a request a byte at a time, or none of it, holds a connection for seconds and not for ever.
func TestSlowClientsAreHungUpOn(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix() // to be dropped after the test
	p, err := start(t, "--no-demo", "--database-url", db.URL, "--data-dir", filepath.Join(tempDir(t), "data"))
	check(t, err)
	conn, err := net.Dial("tcp", "127.0.0.1:"+p.port)
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	check(t, err)
	check(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	var timeout net.Error
	if _, err := io.Copy(io.Discard, conn); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection is still open after a minute")
	}
	check(t, p.stop())
}
