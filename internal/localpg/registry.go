package localpg

import (
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// registry is the base URL of an npm registry. Requests go through the proxy that the environment
// names (HTTPS_PROXY, NO_PROXY), as those of [http.DefaultClient] do.
type registry struct{ url string }

// maxDocument is the maximum size in bytes of a package's document, the JSON that lists its
// versions. A longer one is cut, and is then invalid JSON.
const maxDocument = 64 << 20

// dist is the URL and the hash of the archive of one version, as an npm registry has them.
// Integrity is as sha512Of reads it.
type dist struct{ Tarball, Integrity string }

// statusError is the error for an answer of a registry whose status is not 200.
type statusError struct {
	url    string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("GET %s: %d %s", e.url, e.status, http.StatusText(e.status))
}

// download writes the archive of a version to file and checks its SHA-512. After an error it tries
// once more, unless ctx has ended, the SHA-512 is wrong, or the registry answers with a status
// below 500, such as 404.
func (r registry) download(ctx context.Context, name, version, file string) error {
	err := r.try(ctx, name, version, file)
	if status := (*statusError)(nil); err == nil || ctx.Err() != nil || errors.Is(err, errIntegrity) ||
		errors.As(err, &status) && status.status < http.StatusInternalServerError {
		return err
	}
	return r.try(ctx, name, version, file)
}

func (r registry) try(ctx context.Context, name, version, file string) error {
	d, err := r.dist(ctx, name, version)
	if err != nil {
		return err
	}
	want, err := sha512Of(d.Integrity)
	if err != nil {
		return fmt.Errorf("package %s %s: %w", name, version, err)
	}
	hash := sha512.New()
	if err := save(ctx, d.Tarball, file, hash); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(hash.Sum(nil), want) != 1 {
		return fmt.Errorf("package %s %s: %s has %w", name, version, d.Tarball, errIntegrity)
	}
	return nil
}

// dist reads the document of a package and returns the archive of a version.
func (r registry) dist(ctx context.Context, name, version string) (dist, error) {
	body, err := get(ctx, strings.TrimSuffix(r.url, "/")+"/"+url.PathEscape(name))
	if err != nil {
		return dist{}, err
	}
	defer body.Close()
	var document struct {
		Versions map[string]struct{ Dist dist }
	}
	if err := json.NewDecoder(io.LimitReader(body, maxDocument)).Decode(&document); err != nil {
		return dist{}, fmt.Errorf("package %s: the registry's document: %w", name, err)
	}
	v, ok := document.Versions[version]
	if !ok {
		return dist{}, fmt.Errorf("package %s: the registry %s has no version %s", name, r.url, version)
	}
	return v.Dist, nil
}

var errIntegrity = errors.New("another SHA-512 than the registry's document says")

// sha512Of returns the SHA-512 of an integrity value such as "sha512-<base64>", which may list
// several hashes. Weaker hashes are not accepted.
func sha512Of(integrity string) ([]byte, error) {
	for _, value := range strings.Fields(integrity) {
		if encoded, ok := strings.CutPrefix(value, "sha512-"); ok {
			return base64.StdEncoding.DecodeString(encoded)
		}
	}
	return nil, fmt.Errorf("the registry's document has no SHA-512, only %q", integrity)
}

// save downloads a URL to file and also writes the content to hash.
func save(ctx context.Context, from, file string, hash io.Writer) error {
	body, err := get(ctx, from)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.MultiWriter(f, hash), body)
	return errors.Join(err, f.Close())
}

// get returns the body of a URL, which the caller closes. If the status is not 200, the error is a
// statusError.
func get(ctx context.Context, from string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, &statusError{from, response.StatusCode}
	}
	return response.Body, nil
}
