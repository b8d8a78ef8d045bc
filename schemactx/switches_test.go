package schemactx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/schemactx"
)

func expectExplicit(t *testing.T, db *schemactx.DB, want int64) {
	t.Helper()
	assert.Equal(t, want, db.Stats().Explicit, "explicit switches, want %d", want)
}

// Calls are counted without a hook. A request's own schema is no switch, and neither is a call
// under which no unit of work begins.
func TestExplicitSwitchesAreCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	expectNote(t, in(t, "tenant_a"), f.db, "tenant_a")
	expectExplicit(t, f.db, 0)
	nested(t, f.db) // two statements in one call
	expectExplicit(t, f.db, 1)
	require.NoError(t, schemactx.WithPublic(t.Context(), func(ctx context.Context) error {
		_, err := f.db.Exec(ctx, "select 1")
		return err
	}))
	expectExplicit(t, f.db, 2)
	require.NoError(t, schemactx.WithSchema(t.Context(), "tenant_a", func(ctx context.Context) error {
		return schemactx.WithSchema(ctx, "tenant_b", func(ctx context.Context) error {
			expectNote(t, ctx, f.db, "tenant_b")
			return nil
		})
	}))
	expectExplicit(t, f.db, 3) // tenant_a was named, but not used
	err := schemactx.WithSchema(t.Context(), "nobodys", func(ctx context.Context) error {
		_, err := f.db.Exec(ctx, "select 1")
		return err
	})
	assert.ErrorIs(t, err, schemactx.ErrSchemaMissing)
	expectExplicit(t, f.db, 4) // an attempt is a switch
}

// A DB without a hook must not use up the one report for the hook of another DB.
func TestFirstHookReceivesTheSwitch(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var j journal
	hooked := f.open(t, schemactx.Config{Hooks: schemactx.Hooks{SchemaSwitch: j.hooks().SchemaSwitch}}, 1)
	require.NoError(t, schemactx.WithSchema(t.Context(), "tenant_a", func(ctx context.Context) error {
		expectNote(t, ctx, f.db, "tenant_a")
		expectNote(t, ctx, hooked, "tenant_a")
		return nil
	}))
	got := j.take()
	assert.True(t, strings.HasPrefix(got, `switched tenant_a from ""`), "told %q", got)
	expectExplicit(t, f.db, 1)
	expectExplicit(t, hooked, 0) // one call is one switch
}

func TestSwitchesAreLoggedWithTheirSite(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var out bytes.Buffer
	log := schemactx.LogSwitches(slog.New(slog.NewJSONHandler(&out, nil)))
	db := f.open(t, schemactx.Config{Hooks: schemactx.Hooks{SchemaSwitch: log}}, 1)
	nested(t, db)
	var record struct {
		Level, To, From, File, Func string
		Line                        int
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &record)) // one record for both statements
	assert.Equal(t, "INFO", record.Level, "record %+v", record)
	assert.Equal(t, "tenant_b", record.To, "record %+v", record)
	assert.Equal(t, "tenant_a", record.From, "record %+v", record)
	assert.NotZero(t, record.Line, "record %+v", record)
	assert.True(t, strings.HasSuffix(record.File, "/hooks_test.go"), "record %+v", record)
	assert.True(t, strings.HasSuffix(record.Func, "schemactx_test.nested"), "record %+v", record)
	schemactx.LogSwitches(nil)(t.Context(), schemactx.SchemaSwitch{})
}
