package main

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/pgtest"
	"github.com/oryne/pgtenant/schemactx"
)

// A client that sends a request one byte at a time, or not at all, keeps its connection only for
// seconds.
func TestSlowClientsAreDisconnected(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.RolePrefix = schemactx.DefaultRoleNames(db.Name).Prefix() // dropped after the test
	p, err := start(t, "--no-demo", "--database-url", db.URL, "--data-dir", filepath.Join(tempDir(t), "data"))
	require.NoError(t, err)
	conn, err := net.Dial("tcp", "127.0.0.1:"+p.port)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	var timeout net.Error
	_, err = io.Copy(io.Discard, conn)
	assert.True(t, !errors.As(err, &timeout) || !timeout.Timeout(), "the connection is still open after a minute")
	require.NoError(t, p.stop())
}
