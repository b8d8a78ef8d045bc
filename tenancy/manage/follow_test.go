package manage_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/tenancy/manage"
)

// watched is a writer that signals when a word has been written.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	word string
	seen chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := strings.Contains(w.text.String(), w.word)
	n, err := w.text.Write(p)
	if !before && strings.Contains(w.text.String(), w.word) {
		close(w.seen)
	}
	return n, err
}

func TestTheLogIsFollowed(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	p.ok(t, "tenant", "create", "--subdomain", "north")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := &watched{word: "\"action\":\"create\"", seen: make(chan struct{})}
	out := &watched{word: "\"action\":\"suspend\"", seen: make(chan struct{})}
	root := manage.Command(p.config())
	root.SetArgs([]string{"audit", "tail", "north", "--follow", "--json"})
	root.SetOut(both{first, out})
	code := make(chan int, 1)
	go func() { code <- manage.Run(ctx, root) }()
	<-first.seen
	p.ok(t, "tenant", "suspend", "north")
	<-out.seen
	cancel()
	assert.Equal(t, manage.CodeOK, <-code, "exit code")
	text := out.text.String()
	n := strings.Count(text, "\"action\":\"suspend\"")
	assert.Equal(t, 1, n, "it is shown %d times: %s", n, text)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	seen := map[string]bool{}
	for _, line := range lines {
		assert.False(t, seen[line], "twice: %s", line)
		seen[line] = true
	}
}

// both writes to two writers.
type both [2]*watched

func (b both) Write(p []byte) (int, error) {
	if n, err := b[0].Write(p); err != nil {
		return n, err
	}
	return b[1].Write(p)
}
