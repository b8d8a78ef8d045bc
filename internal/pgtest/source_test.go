package pgtest

import "testing"

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
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
	if got, err := pick(environ{force: "podmn"}, yes); err == nil {
		t.Errorf("an unknown TEST_PG picks %q", got)
	}
}

func TestServerIsRequired(t *testing.T) {
	t.Parallel()
	if (environ{}).required() {
		t.Error("required where nothing asks for it")
	}
	for _, e := range []environ{{ci: true}, {url: "x"}, {force: "local"}, {binDir: "/b"}} {
		if !e.required() {
			t.Errorf("%+v: not required", e)
		}
	}
}

func TestEngineThatDoesNotAnswer(t *testing.T) {
	for _, host := range []string{"unix:///nowhere.sock", "tcp://127.0.0.1:1", "ssh://host", "nonsense"} {
		t.Setenv("DOCKER_HOST", host)
		if engineAnswers() {
			t.Errorf("%s answers", host)
		}
	}
}
