package schemactx_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// traffic is what was sent over a proxy's connections, as the client saw it.
type traffic struct {
	// trips counts how often the client sent something and then received something, that is, waited
	// for the wire and the server. Messages sent without waiting for an answer are one trip together.
	// A last message without an answer is none.
	trips int
	// client and server count messages by their type in the protocol ('P' is Parse, 'B' Bind, 'S'
	// Sync, 'Q' Query; from the server 'Z' is ReadyForQuery). A client's first message has no type and
	// is counted as 0.
	client, server map[byte]int
}

func newTraffic() traffic {
	return traffic{client: make(map[byte]int), server: make(map[byte]int)}
}

// String is for the messages of failed tests: "2 round trips: client B2 D1 E2 P1 S2, ...".
func (t traffic) String() string {
	count := func(messages map[byte]int) string {
		var b strings.Builder
		for _, kind := range slices.Sorted(maps.Keys(messages)) {
			fmt.Fprintf(&b, " %c%d", kind, messages[kind])
		}
		return b.String()
	}
	return fmt.Sprintf("%d round trips: client%s, server%s", t.trips, count(t.client), count(t.server))
}

// frames finds the types of protocol messages in a stream that may be cut anywhere.
type frames struct {
	untyped bool   // the next message is the client's first, which has no type
	header  []byte // the received part of the next message's header
	body    int    // missing bytes of the current message
}

func (f *frames) read(data []byte, seen map[byte]int) {
	for len(data) > 0 {
		if f.body > 0 {
			n := min(f.body, len(data))
			f.body -= n
			data = data[n:]
			continue
		}
		f.header = append(f.header, data[0])
		data = data[1:]
		f.finishHeader(seen)
	}
}

func (f *frames) finishHeader(seen map[byte]int) {
	length := f.header
	kind := byte(0)
	if !f.untyped {
		kind = f.header[0]
		length = f.header[1:]
	}
	if len(length) < 4 {
		return
	}
	seen[kind]++
	f.body = int(binary.BigEndian.Uint32(length)) - 4 // the length includes itself
	f.header = f.header[:0]
	f.untyped = false
}

func TestFramesOfAStreamCutAnywhere(t *testing.T) {
	t.Parallel()
	stream := []byte(
		"\x00\x00\x00\x09\x00\x03\x00\x00x" + "P\x00\x00\x00\x09P\x00\x00\x00\x04" +
			"S\x00\x00\x00\x04" + "S\x00\x00\x00\x04",
	)
	want := map[byte]int{0: 1, 'P': 1, 'S': 2}
	for size := 1; size <= len(stream); size++ {
		f := frames{untyped: true}
		got := make(map[byte]int)
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			f.read(rest[:n], got)
			rest = rest[n:]
		}
		assert.Equal(t, want, got, "in pieces of %d bytes", size)
	}
}
