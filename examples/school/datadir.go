package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files and directories of the data directory. It holds nothing else.
const (
	clusterDir = "postgres"
	keyFile    = "logins.key"
	auditDir   = "audit"   // audit entries that are not in the database yet
	backupDir  = "backups" // archives of the schools
)

// checkDataDir refuses a directory that holds a file that the program has not made.
func checkDataDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot use the data directory: %w", err)
	}
	for _, e := range entries {
		known := slices.Contains([]string{clusterDir, keyFile, auditDir, backupDir}, e.Name()) ||
			strings.HasPrefix(e.Name(), "."+keyFile)
		if !known {
			return fmt.Errorf("the data directory %s is not of this program: it contains %s; "+
				"name an empty or a new directory", dir, e.Name())
		}
	}
	return nil
}

// checkMade refuses a data directory without a database. A command that shows or changes schools
// needs an existing database: in the wrong directory it would create an empty one.
func (o *options) checkMade() error {
	if o.databaseURL != "" {
		return nil
	}
	_, err := os.Stat(filepath.Join(o.dataDir, clusterDir))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database in %s: give the directory of an existing one with --data-dir, "+
			"or make one there with: %s", o.dataDir, o.command("init"))
	}
	return nil // opening the database reports other errors
}

// defaultDataDir returns the data directory if --data-dir is not given. PostgreSQL does not run as
// root, and the user that it then runs as cannot enter root's home directory.
func defaultDataDir() string {
	if os.Getuid() == 0 {
		return "/var/lib/pgtenant/school"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pgtenant", "school")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "pgtenant-school")
	}
	return filepath.Join(home, ".local", "share", "pgtenant", "school")
}
