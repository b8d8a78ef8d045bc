package hint_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/hint"
)

// A shell reads each quoted word as the original.
func TestShellReadsQuotedWordsUnchanged(t *testing.T) {
	t.Parallel()
	words := []string{
		"plain",
		"",
		"a b",
		"it's",
		`"x"`,
		"$HOME",
		"`id`",
		`back\slash`,
		`end\`,
		"Zoë",
		"wow!",
		"it's!",
		"a\nb",
		"*",
		"~",
		"#",
		"-x",
		"a;b",
		"a&b",
		"$(id)",
	}
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+hint.Command(words...)).Output()
	require.NoError(t, err)
	assert.Equal(t, words, strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"))
	assert.Equal(t, `school --data-dir "a b" x`, hint.Command("school", "--data-dir", "a b", "x"))
}

func TestWithoutPassword(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"postgres://u:secret@db.example:5432/app?sslmode=require": "postgres://u@db.example:5432/app?sslmode=require",
		"postgres://u@db.example/app?password=secret&sslmode=x":   "postgres://u@db.example/app?sslmode=x",
		"postgres:///app?host=/run&user=u&sslpassword=secret":     "postgres:///app?host=%2Frun&user=u",
		"postgres://u:sec%ret@db.example/app":                     "URL",
		"postgres:///app?host=/run/it's":                          "postgres:///app?host=/run/it's",
		"/var/lib/data: with a colon":                             "/var/lib/data: with a colon",
		"host=/run user=u password=secret dbname=app":             "host=/run user=u dbname=app",
		`password = 'a \' b' host=/run`:                           "host=/run",
		`host=/run sslpassword=a\ b`:                              "host=/run",
		"Ada":                                                     "Ada",
	} {
		assert.Equal(t, want, hint.WithoutPassword(value), value)
	}
}
