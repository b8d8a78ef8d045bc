package tenancy_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx/admin"
	"github.com/oryne/pgtenant/tenancy"
)

// concurrently calls do from 8 goroutines that start together. It returns how many calls got each
// of the kinds of error; nil is a kind, too. Any other error fails the test.
func concurrently(t *testing.T, do func(i int) error, kinds ...error) map[error]int {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts := map[error]int{}
	start := make(chan struct{})
	for i := range 8 {
		wg.Go(func() {
			<-start
			err := do(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				counts[nil]++
				return
			}
			for _, kind := range kinds {
				if errors.Is(err, kind) {
					counts[kind]++
					return
				}
			}
			assert.Fail(t, "unexpected error", "goroutine %d: %v", i, err)
		})
	}
	close(start)
	wg.Wait()
	return counts
}

func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	f := setup(t)
	counts := concurrently(t, func(i int) error { // four calls use the same slug, the others the same domain
		p := tenancy.CreateParams{Slug: "a", Domain: fmt.Sprintf("d%d.example.com", i)}
		if i%2 == 1 {
			p = tenancy.CreateParams{Slug: fmt.Sprintf("s%d", i), Domain: "a.example.com"}
		}
		_, err := f.tenants.Create(t.Context(), p)
		return err
	}, tenancy.ErrSlugTaken, tenancy.ErrDomainTaken)
	assert.Equal(t, 2, counts[nil], "outcomes %v", counts)
	assert.Equal(t, 3, counts[tenancy.ErrSlugTaken], "outcomes %v", counts)
	assert.Equal(t, 3, counts[tenancy.ErrDomainTaken], "outcomes %v", counts)
	f.expectInvariants(t)
}

func TestConcurrentResumes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	injected := errors.New("not yet")
	f.migrator.err.Store(&injected)
	_, err := f.tenants.Create(t.Context(), tenancy.CreateParams{Slug: "a", Domain: "a.example.com"})
	assert.ErrorIs(t, err, injected)
	f.migrator.err.Store(nil)
	counts := concurrently(t, func(int) error {
		_, err := f.tenants.Resume(t.Context(), "a")
		return err
	}, tenancy.ErrStatus)
	assert.Equal(t, 1, counts[nil], "outcomes %v", counts)
	assert.Equal(t, 7, counts[tenancy.ErrStatus], "outcomes %v", counts)
	f.expectInvariants(t)
}

func TestConcurrentRenamesAndSuspensions(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.create(t, "a")
	f.insertNote(t, a, "of a")
	counts := concurrently(t, func(i int) error {
		if i%2 == 1 {
			_, err := f.tenants.Suspend(t.Context(), "a", fmt.Sprint("reason ", i))
			return err
		}
		_, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Schema: fmt.Sprintf("s%d", i)})
		return err
	})
	got, err := f.tenants.BySlug(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, 8, counts[nil])
	assert.Equal(t, tenancy.Suspended, got.Status)
	assert.True(t, strings.HasPrefix(got.Reason, "reason "))
	assert.True(t, strings.HasPrefix(got.Schema, "s"))
	f.expectNote(t, got, "of a")
	f.expectInvariants(t)
}

func TestConcurrentRenames(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b := f.create(t, "a"), f.create(t, "b")
	f.insertNote(t, a, "of a")
	f.insertNote(t, b, "of b")
	counts := concurrently(t, func(i int) error { // one succeeds, and the slug does not exist for the others
		name := fmt.Sprintf("r%d", i)
		_, err := f.tenants.Rename(t.Context(), "a", tenancy.RenameParams{Slug: name, Schema: name})
		return err
	}, tenancy.ErrNotFound)
	assert.Equal(t, 1, counts[nil], "outcomes of one tenant %v", counts)
	assert.Equal(t, 7, counts[tenancy.ErrNotFound], "outcomes of one tenant %v", counts)
	got, err := f.tenants.ByID(t.Context(), a.ID)
	require.NoError(t, err)
	f.expectNote(t, got, "of a")

	slugs := []string{got.Slug, "b"}
	counts = concurrently(t, func(i int) error { // two tenants try to take one name
		_, err := f.tenants.Rename(t.Context(), slugs[i%2], tenancy.RenameParams{Schema: "wanted"})
		return err
	}, admin.ErrTaken)
	assert.Equal(t, 4, counts[nil], "outcomes of two tenants %v", counts)
	assert.Equal(t, 4, counts[admin.ErrTaken], "outcomes of two tenants %v", counts)
	for slug, body := range map[string]string{slugs[0]: "of a", "b": "of b"} {
		got, err := f.tenants.BySlug(t.Context(), slug)
		require.NoError(t, err)
		f.expectNote(t, got, body)
	}
	f.expectInvariants(t)
}

func TestConcurrentDomainMovesAndRemovals(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	f.create(t, "b")
	_, err := f.tenants.AddDomain(t.Context(), "a", "alias.example.com")
	require.NoError(t, err)
	counts := concurrently(t, func(i int) error {
		if i%2 == 1 {
			return f.tenants.RemoveDomain(t.Context(), "a", "alias.example.com")
		}
		_, err := f.tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{Host: "alias.example.com", From: "a", To: "b"})
		return err
	}, tenancy.ErrDomainNotFound)
	f.expectHosts(t, "a", "a!")
	switch b := f.hosts(t, "b"); {
	case b == "b! alias" && counts[nil] == 4: // moved, and later calls find it moved
	case b == "b!" && counts[nil] == 1: // removed
	default:
		assert.Fail(t, "neither moved nor removed", "b has %s, outcomes %v", b, counts)
	}
	f.expectInvariants(t)
}

func TestConcurrentDomainMovesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	f := setup(t)
	slugs := []string{"a", "b"}
	for i, slug := range slugs {
		f.create(t, slug)
		for j := i; j < 8; j += 2 {
			_, err := f.tenants.AddDomain(t.Context(), slug, fmt.Sprintf("alias%d.example.com", j))
			require.NoError(t, err)
		}
	}
	concurrently(t, func(i int) error {
		_, err := f.tenants.MoveDomain(t.Context(), tenancy.MoveDomainParams{
			Host: fmt.Sprintf("alias%d.example.com", i), From: slugs[i%2], To: slugs[1-i%2],
		})
		return err
	})
	f.expectHosts(t, "a", "a! alias1 alias3 alias5 alias7")
	f.expectHosts(t, "b", "b! alias0 alias2 alias4 alias6")
	f.expectInvariants(t)
}

func TestConcurrentPrimaryChangesAndRemovals(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.create(t, "a")
	for i := range 4 {
		_, err := f.tenants.AddDomain(t.Context(), "a", fmt.Sprintf("alias%d.example.com", i))
		require.NoError(t, err)
	}
	concurrently(t, func(i int) error {
		host := fmt.Sprintf("alias%d.example.com", i/2)
		if i%2 == 1 {
			return f.tenants.RemoveDomain(t.Context(), "a", host)
		}
		_, err := f.tenants.SetPrimaryDomain(t.Context(), "a", host)
		return err
	}, tenancy.ErrDomainNotFound, tenancy.ErrPrimaryDomain)
	f.expectInvariants(t)
}
