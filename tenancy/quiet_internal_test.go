//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package tenancy

import (
	"net"
	"testing"
)

// connected returns both ends of a connection over loopback.
func connected(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

// wrapped is a connection that shows nothing but what any has.
type wrapped struct{ net.Conn }

func TestAConnectionIsQuietUntilSomethingComes(t *testing.T) {
	t.Parallel()
	ours, theirs := connected(t)
	if !quiet(ours) {
		t.Error("nothing has come")
	}
	if quiet(wrapped{ours}) {
		t.Error("it cannot be seen")
	}
	if _, err := theirs.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for quiet(ours) { // until it is there
	}
	var b [1]byte
	if _, err := ours.Read(b[:]); err != nil || b[0] != 'x' {
		t.Errorf("what has come was taken: %q, %v", b, err)
	}
	if !quiet(ours) {
		t.Error("nothing more has come")
	}
	_ = theirs.Close()
	for quiet(ours) {
	}
}

func TestAConnectionOnWhichSomebodyWaitsIsLookedAtAllTheSame(t *testing.T) {
	t.Parallel()
	ours, theirs := connected(t)
	reading := make(chan struct{})
	go func() { // as pgx does where a write was slow
		defer close(reading)
		_, _ = ours.Read(make([]byte, 1))
	}()
	for range 1000 { // the reader is there at some time
		if !quiet(ours) {
			t.Fatal("nothing has come")
		}
	}
	_ = theirs.Close()
	<-reading
	if quiet(ours) {
		t.Error("it has ended")
	}
}
