package tenancy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
)

// invalidTexts are strings that PostgreSQL does not accept as text.
var invalidTexts = []string{"a\x00", "a\xff", "\xed\xa0\x80"}

func TestInvalidTextAsSlugIsNotFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	drops, _ := f.dropManager(t, tenancy.DropConfig{})
	for _, slug := range invalidTexts {
		for name, call := range map[string]func(ctx context.Context) error{
			"by slug": func(ctx context.Context) error { _, err := f.registry.BySlug(ctx, slug); return err },
			"show":    func(ctx context.Context) error { _, err := f.registry.Show(ctx, slug); return err },
			"suspend": func(ctx context.Context) error { _, err := f.tenants.Suspend(ctx, slug, ""); return err },
			"resume":  func(ctx context.Context) error { _, err := f.tenants.Resume(ctx, slug); return err },
			"rename": func(ctx context.Context) error {
				_, err := f.tenants.Rename(ctx, slug, tenancy.RenameParams{Name: "x"})
				return err
			},
			"move": func(ctx context.Context) error {
				_, err := f.tenants.MoveDomain(ctx, tenancy.MoveDomainParams{Host: "a.example.com", From: slug, To: "b"})
				return err
			},
			"verify": func(ctx context.Context) error {
				_, err := f.tenants.VerifyDomain(ctx, slug, "a.example.com")
				return err
			},
			"request drop": func(ctx context.Context) error { _, err := drops.RequestDrop(ctx, slug, actor); return err },
		} {
			assert.ErrorIs(t, call(t.Context()), tenancy.ErrNotFound, "%s %q", name, slug)
		}
	}
}

func TestFilterRefusesInvalidText(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, text := range invalidTexts {
		_, err := f.registry.List(t.Context(), tenancy.Filter{Search: text})
		expectField(t, err, "search")
		_, err = f.registry.List(t.Context(), tenancy.Filter{Plan: text})
		expectField(t, err, "plan")
	}
}

func TestFailureWithInvalidTextIsRecorded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	long := strings.Repeat("€", 1<<20)
	for i, text := range append(invalidTexts, long) {
		broken := f.managerWith(t, func(cfg *tenancy.Config) {
			cfg.Seed = func(context.Context, *tenancy.Tenant) error { return errors.New(text) }
		})
		slug := string(rune('a' + i))
		_, err := broken.Create(t.Context(), tenancy.CreateParams{Slug: slug, Domain: slug + ".example.com"})
		var stepErr *tenancy.StepError
		require.ErrorAs(t, err, &stepErr, i)
		got, err := f.tenants.BySlug(t.Context(), slug)
		require.NoError(t, err)
		failure := failureOf(got)
		assert.True(t, strings.HasPrefix(failure, "seed: "), "%d: recorded %.40q", i, failure)
		assert.True(t, utf8.ValidString(failure), "%d: recorded %.40q", i, failure)
		assert.LessOrEqual(t, len(failure), tenancy.MaxFailureLen, "%d: recorded %.40q", i, failure)
		assert.Equal(t, failure, failureOf(stepErr.Tenant), i)
	}
}
