package localpg_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oryne/pgtenant/internal/localpg"
)

// The archive is made of the machine's own binaries, so that what is downloaded runs.
func TestDownload(t *testing.T) {
	t.Parallel()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		t.Skip("no binaries in /usr/lib/postgresql to make an archive of")
	}
	tar := exec.Command("tar", "-C", filepath.Dir(bins[0]), "--exclude=lib/bitcode", "--exclude=lib/llvmjit*",
		"-cJf", "-", "bin/postgres", "bin/initdb", "bin/pg_ctl", "lib")
	tar.Env = append(os.Environ(), "XZ_OPT=-0") // quick, not small
	txz, err := tar.Output()
	check(t, err)
	jar := new(bytes.Buffer)
	zw := zip.NewWriter(jar)
	w, err := zw.Create("postgres.txz")
	check(t, err)
	_, err = w.Write(txz)
	check(t, err)
	check(t, zw.Close())

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

	cfg := localpg.Config{From: localpg.Downloaded, CacheDir: filepath.Join(tempDir(t), "cache"), DownloadURL: repository.URL}
	s := start(t, cfg)
	if got := ask(t, s.TCPURL("postgres"), "select 'downloaded'"); got != "downloaded" {
		t.Errorf("got %q", got)
	}
	requests := len(asked)
	start(t, cfg)
	if requests == 0 || len(asked) != requests {
		t.Errorf("%d requests for the first start, %d more for the second; want some and none", requests, len(asked)-requests)
	}
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
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "no version found") {
		t.Errorf("got %v", err)
	}
	if none.Install == "" || !strings.Contains(err.Error(), "install them with: "+none.Install) {
		t.Errorf("the error does not say how to install PostgreSQL: %v", err)
	}
	if _, err := os.Stat(filepath.Join(cache, "18", "bin", "postgres")); err == nil {
		t.Error("there are binaries")
	}
}

// A repository that takes the connection and never answers.
func TestDownloadWithoutAnAnswerEnds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	cfg := localpg.Config{From: localpg.Downloaded, CacheDir: filepath.Join(tempDir(t), "cache"), DownloadURL: silent.URL, NPMRegistry: silent.URL}
	_, err := localpg.Start(t.Context(), localpg.WithTimeouts(cfg, time.Millisecond, 0))
	var none *localpg.NoBinariesError
	if !errors.As(err, &none) || !errors.Is(err, context.DeadlineExceeded) || none.Places[0].Name != "download" {
		t.Errorf("got %v", err)
	}
}
