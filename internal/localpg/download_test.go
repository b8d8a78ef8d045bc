package localpg_test

import (
	"archive/zip"
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
)

// The archive contains the machine's own binaries, so the downloaded binaries run.
func TestDownload(t *testing.T) {
	t.Parallel()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		t.Skip("no binaries in /usr/lib/postgresql to make an archive of")
	}
	tar := exec.Command("tar", "-C", filepath.Dir(bins[0]), "--exclude=lib/bitcode", "--exclude=lib/llvmjit*",
		"-cJf", "-", "bin/postgres", "bin/initdb", "bin/pg_ctl", "lib")
	tar.Env = append(os.Environ(), "XZ_OPT=-0") // fast compression
	txz, err := tar.Output()
	require.NoError(t, err)
	jar := new(bytes.Buffer)
	zw := zip.NewWriter(jar)
	w, err := zw.Create("postgres.txz")
	require.NoError(t, err)
	_, err = w.Write(txz)
	require.NoError(t, err)
	require.NoError(t, zw.Close())

	var asked []string
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(jar.Bytes())
	}))
	defer repository.Close()

	cfg := localpg.Config{
		From:        localpg.Downloaded,
		CacheDir:    filepath.Join(tempDir(t), "cache"),
		DownloadURL: repository.URL,
	}
	s := start(t, cfg)
	assert.Equal(t, "downloaded", ask(t, s.TCPURL("postgres"), "select 'downloaded'"))
	requests := len(asked)
	start(t, cfg)
	assert.NotZero(t, requests,
		"%d requests for the first start, %d more for the second; want some and none", requests, len(asked)-requests)
	assert.Len(t, asked, requests,
		"%d requests for the first start, %d more for the second; want some and none", requests, len(asked)-requests)
}

func TestDownloadThatFails(t *testing.T) {
	t.Parallel()
	repository := httptest.NewServer(http.NotFoundHandler())
	defer repository.Close()
	cache := filepath.Join(tempDir(t), "cache")
	_, err := localpg.Start(t.Context(), localpg.Config{
		From: localpg.Downloaded, CacheDir: cache,
		DownloadURL: repository.URL, NPMRegistry: repository.URL,
	})
	var none *localpg.NoBinariesError
	if assert.ErrorAs(t, err, &none) {
		assert.Contains(t, err.Error(), "no version found")
	}
	if assert.NotEmpty(t, none.Install, "the error does not say how to install PostgreSQL: %v", err) {
		assert.Contains(t, err.Error(), "install them with: "+none.Install,
			"the error does not say how to install PostgreSQL: %v", err)
	}
	_, err = os.Stat(filepath.Join(cache, "18", "bin", "postgres"))
	assert.Error(t, err, "there are binaries")
}

// The repository accepts the connection and never answers.
func TestDownloadWithoutAnAnswerEnds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	cfg := localpg.Config{
		From:        localpg.Downloaded,
		CacheDir:    filepath.Join(tempDir(t), "cache"),
		DownloadURL: silent.URL,
		NPMRegistry: silent.URL,
	}
	_, err := localpg.Start(t.Context(), localpg.WithTimeouts(cfg, time.Millisecond, 0))
	var none *localpg.NoBinariesError
	if assert.ErrorAs(t, err, &none) && assert.ErrorIs(t, err, context.DeadlineExceeded) {
		assert.Equal(t, "download", none.Places[0].Name)
	}
}
