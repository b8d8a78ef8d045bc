package manage

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOutputCannotMoveTheCursor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Schule Süd, 東京":   "Schule Süd, 東京",
		"a\x1b[2Jb":        `a\u001b[2Jb`,
		"a\u202eb":         `a\u202eb`,
		"a\u009b31mb\r\nc": `a\u009b31mb\u000d\u000ac`,
		"a\xffb":           `a\ufffdb`,
	} {
		assert.Equal(t, want, clean(in), "clean(%q)", in)
	}
}

func TestPasswordsAreRedacted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"postgres://ada:s3cret@db:5432/x?sslmode=disable":  "postgres://ada:xxxxx@db:5432/x?sslmode=disable",
		"dial POSTGRESQL://a:p@ss@h/x failed":              "dial POSTGRESQL://a:xxxxx@h/x failed",
		"host=db password=s3cret user=ada":                 "host=db password=xxxxx user=ada",
		`password = 'a b\'c' host=x`:                       "password = xxxxx host=x",
		"https://example.com/path and ada@example.com":     "https://example.com/path and ada@example.com",
		"tenant \"a\" has no password in its name: page:5": "tenant \"a\" has no password in its name: page:5",
	} {
		assert.Equal(t, want, redact(in), "redact(%q)", in)
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "a\x1b[2Jb", "\u202e", "\xff", "\U000e0001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			require.True(t, r == ' ' || unicode.IsPrint(r), "clean(%q) has %U", s, r)
		}
		once := clean(s)
		require.Equal(t, once, clean(once), "clean is not stable for %q", s)
	})
}

func FuzzParseHead(f *testing.F) {
	digest := strings.Repeat("0a", 32)
	f.Add([]byte(`{"chain":"39873a82-a85b-46af-8471-09e9679a4eae","month":"2026-11-01T00:00:00Z","position":3,` +
		`"digest":"` + digest + `"}`))
	f.Add([]byte(`{"chain":"x"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		h, err := parseHead(line)
		require.True(t, err != nil || len(h.Chain.String()) == 36 && len(h.Digest.String()) == 64,
			"%q is a head: %v", line, h)
	})
}

func TestAnErrorOfSeveralLinesIsOneSentence(t *testing.T) {
	t.Parallel()
	err := errors.Join(errors.New("the first"), errors.New("the  second\n\n"))
	got, want := sentence(err), "the first; the second"
	assert.Equal(t, want, got)
}

func TestEachJoinedErrorIsALine(t *testing.T) {
	t.Parallel()
	first, second := errors.New("the first"), errors.New("the second\nof two")
	joined := &codeError{CodeIncomplete, errors.Join(errors.Join(first), second)}
	assert.Equal(t, []string{"the first", "the second; of two"}, sentences(joined))
	around := fmt.Errorf("around: %w", joined)
	assert.Equal(t, []string{"around: the first; the second; of two"}, sentences(around))
}
