//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package tenancy

import (
	"errors"
	"net"
	"syscall"
)

// quiet reports whether nothing has come on a connection on which nothing was asked, not even its end, as far as this machine
// knows: that costs no round trip. A connection that cannot tell is not quiet.
func quiet(conn net.Conn) (is bool) {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // of TLS
		conn = t.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) { // Read would wait for another reader: pgx has one where a write was slow
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK) // sockets of Go's do not block
		is = errors.Is(err, syscall.EAGAIN)
	})
	return is && err == nil
}
