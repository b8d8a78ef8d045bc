package backup_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup"
)

func TestATenantIsCloned(t *testing.T) {
	t.Parallel()
	f := setup(t, append(features(t), obstacles)...)
	f.countries(t)
	tenant := f.createFeatures(t, "north")
	f.admin(t, tenant.Schema, obstacleRows)
	want, structure := f.content(t, "north"), f.structure(t, tenant.Schema)
	got, err := f.service(t, backup.Config{}).Clone(t.Context(), "north",
		backup.CloneOptions{Slug: "copy", Domain: "copy.example.com"})
	require.NoError(t, err)
	assert.Equal(t, "copy", got.Tenant.Slug, "cloned %+v", got)
	assert.Equal(t, tenancy.Active, got.Tenant.Status, "cloned %+v", got)
	assert.NotZero(t, got.Rows, "cloned %+v", got)
	f.expectContent(t, "copy", want)
	f.expectContent(t, "north", want)
	if !assert.Equal(t, structure, f.structure(t, got.Tenant.Schema)) {
		t.Logf("differences: %v", f.differences(t, tenant.Schema, got.Tenant.Schema))
	}
	f.expectNoSides(t)
}

func TestACloneIsAnonymized(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	var seen []string
	got, err := f.service(t, backup.Config{}).Clone(t.Context(), "north", backup.CloneOptions{
		Slug: "demo", Domain: "demo.example.com",
		Anonymize: map[backup.Column]backup.Anonymizer{
			{Table: "notes", Name: "body"}: backup.AnonymizerFunc(func(_ context.Context, v backup.Value) (backup.Value, error) {
				seen = append(seen, fmt.Sprintf("%s.%s %q %t", v.Column.Table, v.Column.Name, v.Text, v.Null))
				v.Text, v.Null = fmt.Sprintf("hidden, %d \"\n", len(seen)), v.Text == "first"
				return v, nil
			}),
		},
	})
	require.NoError(t, err)
	content := f.content(t, "demo")
	if assert.True(t, strings.HasPrefix(content["notes"], "id,body\n1,\n2,\"hidden, 2 \"\"\n\"\n"), "clone has %q",
		content) {
		assert.Equal(t, f.content(t, "north")["tags"], content["tags"], "clone has %q", content)
	}
	if assert.Len(t, seen, 8) &&
		assert.Equal(t, `notes.body "first" false`, seen[0]) &&
		assert.Equal(t, `notes.body "" false`, seen[2]) &&
		assert.Equal(t, `notes.body "" true`, seen[3]) {
		assert.Equal(t, `notes.body "\\." false`, seen[5])
	}
	f.use(t, got.Tenant)
}

func TestACloneWithoutData(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	got, err := f.service(t, backup.Config{}).Clone(t.Context(), "north",
		backup.CloneOptions{Slug: "empty", Name: "Empty", Domain: "empty.example.com", Data: backup.CloneStructure})
	require.NoError(t, err)
	content := f.content(t, "empty")
	assert.Equal(t, "id,body\n", content["notes"], "clone has %q", content)
	assert.Equal(t, "Empty", got.Tenant.Name, "clone has %q", content)
}

func TestInvalidClonesAreRefused(t *testing.T) {
	t.Parallel()
	f := setup(t, notes)
	tenant := f.create(t, "north")
	f.exec(t, tenant.Schema, someNotes)
	before := f.everything(t)
	s := f.service(t, backup.Config{})
	trouble := errors.New("trouble")
	same := backup.AnonymizerFunc(func(_ context.Context, v backup.Value) (backup.Value, error) { return v, nil })
	failing := backup.AnonymizerFunc(func(_ context.Context, v backup.Value) (backup.Value, error) { return v, trouble })
	number := backup.AnonymizerFunc(func(_ context.Context, v backup.Value) (backup.Value,
		error,
	) {
		v.Text = "x"
		return v, nil
	})
	one := func(table, column string, a backup.Anonymizer) map[backup.Column]backup.Anonymizer {
		return map[backup.Column]backup.Anonymizer{{Table: table, Name: column}: a}
	}
	for name, c := range map[string]struct {
		from string
		opts backup.CloneOptions
		want error
	}{
		"nobody": {"nobody", backup.CloneOptions{Slug: "x", Domain: "x.example.com"}, tenancy.ErrNotFound},
		"a slug that is taken": {
			"north",
			backup.CloneOptions{Slug: "north", Domain: "x.example.com"},
			tenancy.ErrSlugTaken,
		},
		"a domain of another": {
			"north",
			backup.CloneOptions{Slug: "x", Domain: "north.example.com"},
			tenancy.ErrDomainTaken,
		},
		"no such column": {"north", backup.CloneOptions{
			Slug: "x", Domain: "x.example.com",
			Anonymize: one("notes", "boddy", same),
		}, nil},
		"no such table": {"north", backup.CloneOptions{
			Slug: "x", Domain: "x.example.com",
			Anonymize: one("note", "body", same),
		}, nil},
		"no anonymizer": {"north", backup.CloneOptions{
			Slug: "x", Domain: "x.example.com",
			Anonymize: one("notes", "body", nil),
		}, nil},
		"an anonymizer that fails": {"north", backup.CloneOptions{
			Slug: "x", Domain: "x.example.com",
			Anonymize: one("notes", "body", failing),
		}, trouble},
		"what is no number": {"north", backup.CloneOptions{
			Slug: "x", Domain: "x.example.com",
			Anonymize: one("tags", "note", number),
		}, backup.ErrRows},
	} {
		_, err := s.Clone(t.Context(), c.from, c.opts)
		var field *tenancy.FieldError
		assert.True(t,
			(c.want != nil || errors.As(err, &field) && field.Field == "anonymize") && (c.want == nil ||
				errors.Is(err, c.want)),
			"%s: %v", name, err)
	}
	after := f.everything(t)
	assert.Equal(t, before, after, "changed:\n%s\nbefore", after)
}
