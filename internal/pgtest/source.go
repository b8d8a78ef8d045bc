package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// source says where the server comes from.
type source string

const (
	fromURL      source = "TEST_DATABASE_URL"
	fromDocker   source = "docker"
	fromLocal    source = "local"
	fromDownload source = "download"
	fromMachine  source = "machine" // local binaries, or else a download
)

// environ holds the environment variables that decide the source.
type environ struct {
	url    string // TEST_DATABASE_URL
	force  string // TEST_PG
	binDir string // TEST_PG_BIN
	ci     bool   // CI
}

func readEnviron() environ {
	return environ{
		url:    os.Getenv("TEST_DATABASE_URL"),
		force:  os.Getenv("TEST_PG"),
		binDir: os.Getenv("TEST_PG_BIN"),
		ci:     os.Getenv("CI") != "",
	}
}

// required reports whether a test fails, instead of being skipped, if there is no server.
func (e environ) required() bool { return e.ci || e.force != "" || e.url != "" || e.binDir != "" }

// pick returns the source for the environment. It calls engine, which may take a second, only if no
// variable decides.
func pick(e environ, engine func() bool) (source, error) {
	switch {
	case e.url != "":
		if !strings.HasPrefix(e.url, "postgres://") && !strings.HasPrefix(e.url, "postgresql://") {
			return "", errors.New("TEST_DATABASE_URL is not a URL; it must begin with postgres:// or postgresql://")
		}
		return fromURL, nil
	case e.force == "docker":
		return fromDocker, nil
	case e.force == "local":
		return fromLocal, nil
	case e.force == "download":
		return fromDownload, nil
	case e.force != "":
		return "", fmt.Errorf("TEST_PG is %q; it can be docker, local or download", e.force)
	case e.binDir != "":
		return fromLocal, nil
	case engine():
		return fromDocker, nil
	}
	return fromMachine, nil
}

// engineAnswers reports whether a container engine answers within a second.
func engineAnswers() bool {
	network, address := "unix", "/var/run/docker.sock"
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		var found bool
		if network, address, found = strings.Cut(host, "://"); !found {
			return false
		}
	}
	if network != "unix" && network != "tcp" {
		return false // ssh and named pipes need TEST_PG=docker
	}
	client := http.Client{
		Timeout: time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
		},
	}
	res, err := client.Get("http://engine/_ping")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}
