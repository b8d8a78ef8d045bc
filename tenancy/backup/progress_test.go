package backup_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/oryne/pgtenant/tenancy/backup"
)

type ctx = context.Context

// progress returns a function that collects events.
func progress(into *[]backup.Event) func(context.Context, backup.Event) {
	return func(_ context.Context, e backup.Event) { *into = append(*into, e) }
}

func expectEvents(t *testing.T, events []backup.Event, want ...string) {
	t.Helper()
	var got []string
	for _, e := range events {
		text := string(e.Kind)
		if e.Table != "" {
			text += fmt.Sprintf(" %s %d", e.Table, e.Rows)
		}
		got = append(got, text)
	}
	assert.Equal(t, want, got, "events")
}
