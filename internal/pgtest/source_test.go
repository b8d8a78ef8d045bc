package pgtest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPickOrder(t *testing.T) {
	t.Parallel()
	yes, no := func() bool { return true }, func() bool { return false }
	for name, c := range map[string]struct {
		env    environ
		engine func() bool
		want   source
	}{
		"a URL wins over all":            {environ{url: "postgres://x", force: "docker", binDir: "/b"}, yes, fromURL},
		"TEST_PG=docker needs no answer": {environ{force: "docker", binDir: "/b"}, no, fromDocker},
		"TEST_PG=local":                  {environ{force: "local"}, yes, fromLocal},
		"TEST_PG=download":               {environ{force: "download"}, yes, fromDownload},
		"binaries given beat an engine":  {environ{binDir: "/b"}, yes, fromLocal},
		"an engine beats the machine":    {environ{}, yes, fromDocker},
		"the machine":                    {environ{}, no, fromMachine},
	} {
		got, err := pick(c.env, c.engine)
		assert.NoError(t, err, name)
		assert.Equal(t, c.want, got, name)
	}
	got, err := pick(environ{force: "podmn"}, yes)
	assert.Error(t, err, "an unknown TEST_PG picks %q", got)
}

// pgx accepts a connection string of keywords, but urlOf can replace the database only in a URL.
func TestPickRefusesAConnectionStringOfKeywords(t *testing.T) {
	t.Parallel()
	for _, e := range []environ{{url: "host=localhost password=secret"}, {url: "localhost/postgres"}} {
		_, err := pick(e, func() bool { return true })
		assert.ErrorContains(t, err, "it must begin with postgres:// or postgresql://", "%+v", e)
	}
	got, err := pick(environ{url: "postgresql://localhost"}, func() bool { return true })
	assert.NoError(t, err)
	assert.Equal(t, fromURL, got)
}

func TestServerIsRequired(t *testing.T) {
	t.Parallel()
	assert.False(t, environ{}.required(), "no setting asks for a server")
	for _, e := range []environ{{ci: true}, {url: "x"}, {force: "local"}, {binDir: "/b"}} {
		assert.True(t, e.required(), "%+v", e)
	}
}

func TestEngineThatDoesNotAnswer(t *testing.T) {
	for _, host := range []string{"unix:///nowhere.sock", "tcp://127.0.0.1:1", "ssh://host", "nonsense"} {
		t.Setenv("DOCKER_HOST", host)
		assert.False(t, engineAnswers(), "%s answers", host)
	}
}
