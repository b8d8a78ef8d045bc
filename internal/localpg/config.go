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

	// Registry is the URL of the npm registry that binaries are downloaded from. Default:
	// $npm_config_registry, which npm clients read as well, or else https://registry.npmjs.org.
	Registry string

	// Logger logs what the package does. Nil means no log. The server's own log is a file beside its
	// data.
	Logger *slog.Logger

	downloadTimeout time.Duration // of all requests of a download
	readyTimeout    time.Duration // from "ready to accept connections" to the first connection
}

// From says where binaries may come from.
type From int

const (
	Anywhere   From = iota // installed binaries, or else downloaded ones
	Installed              // only binaries of the machine
	Downloaded             // only downloaded binaries
)

var settingName = regexp.MustCompile(`^[a-z_][a-z0-9_.]*$`)

func (c Config) withDefaults() (Config, error) {
	c.downloadTimeout = cmp.Or(c.downloadTimeout, 5*time.Minute)
	c.readyTimeout = cmp.Or(c.readyTimeout, 30*time.Second)
	c.BinDir = cmp.Or(c.BinDir, os.Getenv("TEST_PG_BIN"))
	c.Registry = cmp.Or(c.Registry, os.Getenv("npm_config_registry"), os.Getenv("NPM_CONFIG_REGISTRY"),
		"https://registry.npmjs.org")
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
