package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup"
)

// Run tests a store. open returns an empty store for each test and registers its cleanup with t.
func Run(t *testing.T, open func(t *testing.T) backup.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s backup.Store)
	}{
		{"what is written is read", roundTrip},
		{"a file does not exist before it is committed", invisible},
		{"an aborted upload leaves nothing", aborted},
		{"an upload is aborted during a write", abortedDuringWrite},
		{"an upload ends once", endsOnce},
		{"a cancelled upload leaves nothing", cancelled},
		{"no file is replaced", notReplaced},
		{"files are listed by name", listed},
		{"a listing ends with its context", listCancelled},
		{"files that do not exist are not found", missing},
		{"invalid names are refused", badNames},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// content returns incompressible bytes. Large content spans several parts of an upload in most
// stores.
func content(size int) []byte {
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data) // never fails
	return data
}

func put(t *testing.T, s backup.Store, name string, data []byte) {
	t.Helper()
	u, err := s.Create(t.Context(), name)
	check(t, err)
	for chunk := range slices.Chunk(data, 100_000) {
		_, err := u.Write(chunk)
		check(t, err)
	}
	check(t, u.Commit())
}

func get(t *testing.T, s backup.Store, name string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), name)
	check(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	check(t, err)
	return data
}

func names(t *testing.T, s backup.Store, prefix string) []string {
	t.Helper()
	names := []string{}
	for o, err := range s.List(t.Context(), prefix) {
		check(t, err)
		names = append(names, o.Name)
	}
	return names
}

func expectNames(t *testing.T, s backup.Store, prefix string, want ...string) {
	t.Helper()
	if got := names(t, s, prefix); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		t.Errorf("prefix %q has %q, want %q", prefix, got, want)
	}
}

func roundTrip(t *testing.T, s backup.Store) {
	for name, size := range map[string]int{"1-a/empty.tar": 0, "1-a/one": 1, "1-a/b/c/large.tar.age": 12<<20 + 7} {
		put(t, s, name, content(size))
		if !bytes.Equal(get(t, s, name), content(size)) {
			t.Errorf("%s: read other bytes than the %d that were written", name, size)
		}
	}
}

func invisible(t *testing.T, s backup.Store) {
	u, err := s.Create(t.Context(), "1-a/x")
	check(t, err)
	_, err = u.Write(content(1 << 20))
	check(t, err)
	expectNames(t, s, "")
	_, err = s.Open(t.Context(), "1-a/x")
	expectIs(t, err, backup.ErrNotFound)
	check(t, u.Commit())
	expectNames(t, s, "", "1-a/x")
}

func aborted(t *testing.T, s backup.Store) {
	for _, size := range []int{0, 10, 12 << 20} {
		u, err := s.Create(t.Context(), "1-a/x")
		check(t, err)
		_, err = u.Write(content(size))
		check(t, err)
		check(t, u.Abort())
		expectNames(t, s, "")
	}
	put(t, s, "1-a/x", []byte("later")) // the name is free
}

func abortedDuringWrite(t *testing.T, s backup.Store) {
	u, err := s.Create(t.Context(), "1-a/x")
	check(t, err)
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		data := content(1 << 20)
		_, err := u.Write(data)
		close(begun)
		for err == nil {
			_, err = u.Write(data)
		}
		close(ended)
	}()
	<-begun
	check(t, u.Abort())
	<-ended
	expectNames(t, s, "")
}

func endsOnce(t *testing.T, s backup.Store) {
	u, err := s.Create(t.Context(), "1-a/x")
	check(t, err)
	_, err = u.Write([]byte("x"))
	check(t, err)
	check(t, u.Commit())
	check(t, u.Abort()) // does nothing
	if u.Commit() == nil {
		t.Error("committed twice")
	}
	if _, err := u.Write([]byte("y")); err == nil {
		t.Error("written to after Commit")
	}
	if got := get(t, s, "1-a/x"); string(got) != "x" {
		t.Errorf("read %q", got)
	}
	u, err = s.Create(t.Context(), "1-a/y")
	check(t, err)
	check(t, u.Abort())
	if u.Commit() == nil {
		t.Error("committed what was aborted")
	}
	expectNames(t, s, "", "1-a/x")
}

func cancelled(t *testing.T, s backup.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	u, err := s.Create(ctx, "1-a/x")
	check(t, err)
	_, err = u.Write(content(1 << 20))
	check(t, err)
	cancel()
	if u.Commit() == nil {
		t.Error("committed with a context that has ended")
	}
	_ = u.Abort() // may return any error after a failed upload
	expectNames(t, s, "")
}

func notReplaced(t *testing.T, s backup.Store) {
	put(t, s, "1-a/x", []byte("first"))
	u, err := s.Create(t.Context(), "1-a/x")
	if err == nil {
		_, err = u.Write([]byte("second"))
		err = errors.Join(err, u.Commit())
	}
	if err == nil {
		t.Error("a file was replaced")
	}
	if got := get(t, s, "1-a/x"); string(got) != "first" {
		t.Errorf("read %q", got)
	}
}

func listed(t *testing.T, s backup.Store) {
	before := time.Now().Add(-time.Minute)
	all := []string{"1-a/2.tar", "1-a/2.tar.json", "1-a/3.tar", "1-b/1.tar", "12-a/1.tar", "2-a/1.tar"}
	for i := len(all) - 1; i >= 0; i-- {
		put(t, s, all[i], content(i))
	}
	expectNames(t, s, "", all...)
	expectNames(t, s, "1-", all[:4]...)
	expectNames(t, s, "1-a/2", all[:2]...)
	expectNames(t, s, "1-a/2.tar.json", all[1])
	expectNames(t, s, "3-")
	i := 0
	for o, err := range s.List(t.Context(), "") {
		check(t, err)
		if o.Size != int64(i) || o.ModTime.Before(before) || time.Until(o.ModTime) > time.Minute {
			t.Errorf("%+v, of %d bytes", o, i)
		}
		if i++; i == 3 {
			break
		}
	}
	check(t, s.Delete(t.Context(), "1-a/2.tar"))
	expectNames(t, s, "1-a", "1-a/2.tar.json", "1-a/3.tar")
}

func listCancelled(t *testing.T, s backup.Store) {
	put(t, s, "1-a/x", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for o, err := range s.List(ctx, "") {
		if err == nil {
			t.Errorf("listed %q", o.Name)
		}
		return
	}
	t.Error("ended without an error")
}

func missing(t *testing.T, s backup.Store) {
	put(t, s, "1-a/x", nil)
	for _, name := range []string{"1-a/y", "1-a", "2-a/x"} {
		_, err := s.Open(t.Context(), name)
		expectIs(t, err, backup.ErrNotFound)
		expectIs(t, s.Delete(t.Context(), name), backup.ErrNotFound)
	}
	expectNames(t, s, "", "1-a/x")
}

func badNames(t *testing.T, s backup.Store) {
	for _, name := range []string{
		"", ".", "..", "/x", "x/", "a//b", "../x", "a/../../x", "a/.x", "a b", "a\x00", "ä", `a\b`, "a:b", "a%2fb",
	} {
		if u, err := s.Create(t.Context(), name); err == nil {
			t.Errorf("%q was created", name)
			_ = u.Abort()
		}
		if r, err := s.Open(t.Context(), name); err == nil {
			t.Errorf("%q was opened", name)
			_ = r.Close()
		}
		if s.Delete(t.Context(), name) == nil {
			t.Errorf("%q was deleted", name)
		}
	}
	expectNames(t, s, "")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expectIs(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
