package localpg_test

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
)

const newest = "18.4.0-beta.17" // the version that is downloaded unless a cluster needs another

// archive returns an npm package of the machine's own binaries, so the downloaded binaries run.
func archive(t *testing.T) []byte {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		t.Skip("no binaries in /usr/lib/postgresql to make a package of")
	}
	dir := filepath.Join(tempDir(t), "package")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "native"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "native", "pg-symlinks.json"),
		[]byte(`[{"source":"native/lib/plpgsql.so","target":"native/lib/plpgsql-link.so"}]`), 0o600))
	file := filepath.Join(dir, "p.tar")
	for _, args := range [][]string{
		{
			"--mode=u=rw,go=", "--exclude=bitcode", "--exclude=llvmjit*", "--transform=s,^,package/native/,",
			"-C", filepath.Dir(bins[0]), "-cf", file, "bin/postgres", "bin/initdb", "bin/pg_ctl", "lib",
		},
		{"-C", filepath.Dir(dir), "-rf", file, "package/native/pg-symlinks.json"},
	} {
		out, err := exec.Command("tar", args...).CombinedOutput()
		require.NoError(t, err, "tar: %v: %s", err, out)
	}
	out, err := exec.Command("gzip", "-1c", file).Output()
	require.NoError(t, err)
	return out
}

// npmRegistry is a registry with one version of each package.
type npmRegistry struct {
	*httptest.Server
	archive, hashed []byte // the document has the hash of hashed
	version         string
	requests        atomic.Int32
	unavailable     atomic.Int32 // the number of next requests to answer with 503
}

func startRegistry(t *testing.T, archive, hashed []byte, version string) *npmRegistry {
	t.Helper()
	r := &npmRegistry{archive: archive, hashed: hashed, version: version}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *npmRegistry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.requests.Add(1)
	name, err := url.PathUnescape(strings.TrimPrefix(request.URL.EscapedPath(), "/"))
	switch {
	case r.unavailable.Add(-1) >= 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	case err != nil || !strings.HasPrefix(name, "@embedded-postgres/"):
		http.NotFound(w, request)
	case path.Ext(name) == ".tgz":
		_, _ = w.Write(r.archive)
	default:
		hash := sha512.Sum512(r.hashed)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"name": name, "dist-tags": map[string]string{"latest": r.version},
			"versions": map[string]any{r.version: map[string]any{
				"name": name, "version": r.version, "dist": map[string]string{
					"tarball":   r.URL + "/" + name + "/-/p.tgz",
					"integrity": "sha512-" + base64.StdEncoding.EncodeToString(hash[:]),
				},
			}},
		})
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	content := archive(t)
	registry := startRegistry(t, content, content, newest)
	registry.unavailable.Store(1) // it is tried once more
	cache := filepath.Join(tempDir(t), "a cache [1]")
	cfg := localpg.Config{From: localpg.Downloaded, CacheDir: cache, Registry: registry.URL + "/"}
	s := start(t, cfg)
	assert.Equal(t, "downloaded", ask(t, s.TCPURL("postgres"), "select 'downloaded'"))
	linked, err := os.Readlink(filepath.Join(cache, "npm-"+newest, "lib", "plpgsql-link.so"))
	assert.NoError(t, err, "the links of the package's libraries are not made: %q", linked)
	assert.Equal(t, "plpgsql.so", linked, "the links of the package's libraries are not made: %q", linked)
	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "the download left files: %v", entries)

	requests := registry.requests.Load()
	start(t, cfg)
	assert.NotZero(t, requests, "the first start made no request")
	assert.Equal(t, requests, registry.requests.Load(), "the second start made requests")
}

// A proxy gets the requests: the registry's host does not exist.
func TestDownloadThroughAProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		http.NotFound(w, r)
	}))
	defer proxy.Close()
	// The standard library reads the environment once, so this needs a process of its own.
	cmd := exec.Command(os.Args[0], "-test.run=^TestDownloadOfTheEnvironment$")
	cmd.Env = append(os.Environ(), "PGTENANT_TEST_DOWNLOAD="+filepath.Join(tempDir(t), "cache"),
		"HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=",
		"npm_config_registry=http://registry.example")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotEmpty(t, asked, "the proxy got no request: %s", out)
	assert.Contains(t, asked[0], "http://registry.example/@embedded-postgres%2F")
}

// It is the process that [TestDownloadThroughAProxy] runs.
func TestDownloadOfTheEnvironment(t *testing.T) {
	cache := os.Getenv("PGTENANT_TEST_DOWNLOAD")
	if cache == "" {
		t.Skip("only run by TestDownloadThroughAProxy")
	}
	_, err := localpg.Start(t.Context(), localpg.Config{From: localpg.Downloaded, CacheDir: cache})
	require.ErrorContains(t, err, "404 Not Found")
}

func TestDownloadThatFails(t *testing.T) {
	t.Parallel()
	missing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(missing.Close)
	other := startRegistry(t, []byte("an archive"), []byte("another archive"), newest)
	old := startRegistry(t, nil, nil, "1.0.0")
	broken := startRegistry(t, []byte("an archive"), []byte("an archive"), newest)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, test := range []struct{ name, url, want string }{
		{"no package", missing.URL, "404 Not Found"},
		{"another version", old.URL, "has no version " + newest},
		{"another hash", other.URL, "another SHA-512"},
		{"no archive", broken.URL, "unpack @embedded-postgres/"},
		{"no registry", closed.URL, "refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cache := filepath.Join(tempDir(t), "cache")
			_, err := localpg.Start(t.Context(), localpg.Config{
				From: localpg.Downloaded, CacheDir: cache, Registry: test.url,
			})
			var none *localpg.NoBinariesError
			require.ErrorAs(t, err, &none)
			require.ErrorContains(t, err, test.want)
			require.NotEmpty(t, none.Install, "the error does not say how to install PostgreSQL: %v", err)
			assert.Contains(t, err.Error(), "install them with: "+none.Install,
				"the error does not say how to install PostgreSQL: %v", err)
			entries, err := os.ReadDir(cache)
			require.NoError(t, err)
			assert.Empty(t, entries, "the download left files")
		})
	}
}

// An error of the server is tried once more, and then reported.
func TestDownloadFromAServerThatFails(t *testing.T) {
	t.Parallel()
	registry := startRegistry(t, nil, nil, newest)
	registry.unavailable.Store(1000)
	_, err := localpg.Start(t.Context(), localpg.Config{
		From: localpg.Downloaded, CacheDir: filepath.Join(tempDir(t), "cache"), Registry: registry.URL,
	})
	require.ErrorContains(t, err, fmt.Sprintf("GET %s/@embedded-postgres%%2F", registry.URL))
	require.ErrorContains(t, err, "503 Service Unavailable")
	assert.EqualValues(t, 2, registry.requests.Load(), "number of requests")
}

// The registry accepts the connection and never answers.
func TestDownloadWithoutAnAnswerEnds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer silent.Close()
	defer close(release)
	cfg := localpg.Config{
		From:     localpg.Downloaded,
		CacheDir: filepath.Join(tempDir(t), "cache"),
		Registry: silent.URL,
	}
	_, err := localpg.Start(t.Context(), localpg.WithTimeouts(cfg, time.Millisecond, 0))
	var none *localpg.NoBinariesError
	if assert.ErrorAs(t, err, &none) && assert.ErrorIs(t, err, context.DeadlineExceeded) {
		assert.Equal(t, "download", none.Places[0].Name)
	}
}
