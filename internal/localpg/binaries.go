package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// binaries is a directory with initdb and postgres.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// findBinaries returns the first usable binaries. If major is not 0, they are of that version.
func findBinaries(ctx context.Context, cfg Config, major int) (binaries, error) {
	if cfg.BinDir != "" { // an explicit choice, so there is no fallback
		b, err := inspect(ctx, cfg.BinDir)
		switch {
		case err != nil:
			return b, &NoBinariesError{Places: []Place{{cfg.BinDir, err}}}
		case major != 0 && b.major != major:
			return b, fmt.Errorf("%w: the cluster is of PostgreSQL %d, and %s holds PostgreSQL %d",
				ErrVersion, major, cfg.BinDir, b.major)
		}
		return b, nil
	}
	var found []binaries
	var places []Place
	if cfg.From != Downloaded {
		found, places = installed(ctx)
	}
	for _, b := range found {
		if major == 0 || b.major == major {
			return b, nil
		}
	}
	if len(found) > 0 {
		return binaries{}, fmt.Errorf("%w: the cluster is of PostgreSQL %d, and this machine has PostgreSQL %s",
			ErrVersion, major, versions(found))
	}
	if cfg.From == Installed {
		return binaries{}, &NoBinariesError{Places: places, Install: installCommand()}
	}
	b, err := download(ctx, cfg, major)
	if err == nil {
		return b, nil
	}
	cfg.Logger.WarnContext(ctx, "PostgreSQL cannot be downloaded", "registry", cfg.Registry, "error", err)
	places = append(places, Place{"download", err})
	return binaries{}, &NoBinariesError{Places: places, Install: installCommand()}
}

// installed returns the binaries of the machine and the places that had none. Directories of
// packages come first, newest version first.
func installed(ctx context.Context) (found []binaries, places []Place) {
	for _, pattern := range packagedBinaries {
		dirs, _ := filepath.Glob(pattern) // the patterns are valid
		for _, dir := range dirs {
			b, err := inspect(ctx, dir)
			if err != nil {
				places = append(places, Place{dir, err})
				continue
			}
			found = append(found, b)
		}
	}
	if len(found) == 0 && len(places) == 0 {
		places = append(places, Place{packagedBinaries[0], errors.New("no such directory")})
	}
	slices.SortStableFunc(found, func(a, b binaries) int { return cmp.Compare(b.major, a.major) })

	for _, place := range []struct {
		name string
		dir  func() (string, error)
	}{
		{"pg_config --bindir", func() (string, error) {
			dir, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
			return strings.TrimSpace(string(dir)), err
		}},
		{"$PATH", func() (string, error) { // Fedora's server package has no pg_config
			postgres, err := exec.LookPath("postgres")
			return filepath.Dir(postgres), err
		}},
	} {
		dir, err := place.dir()
		var b binaries
		if err == nil {
			b, err = inspect(ctx, dir)
		}
		if err != nil {
			places = append(places, Place{place.name, err})
			continue
		}
		found = append(found, b)
	}
	return found, places
}

// packagedBinaries are the directories of the packages of Debian, SUSE, PGDG for Red Hat, Alpine
// and Homebrew.
var packagedBinaries = []string{
	"/usr/lib/postgresql/*/bin", "/usr/lib/postgresql[0-9]*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql[0-9]*",
	"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
}

// inspect returns the binaries of a directory with their version, or an error if initdb or postgres
// is missing.
func inspect(ctx context.Context, dir string) (binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, err
	}
	b := binaries{dir: dir}
	if _, err := exec.LookPath(b.path("initdb")); err != nil {
		return b, errors.Unwrap(err)
	}
	out, err := exec.CommandContext(ctx, b.path("postgres"), "--version").Output()
	if err != nil {
		return b, fmt.Errorf("postgres --version: %w", err)
	}
	if b.major, err = parseMajor(string(out)); err != nil {
		return b, err
	}
	return b, nil
}

// parseMajor returns the major version in texts such as "postgres (PostgreSQL) 15.18 (Debian ...)"
// and "postgres (PostgreSQL) 18beta1".
func parseMajor(version string) (int, error) {
	_, after, _ := strings.Cut(version, "(PostgreSQL) ")
	digits := after
	if i := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = after[:i]
	}
	major, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("version %q is not understood", strings.TrimSpace(version))
	}
	return major, nil
}

func versions(found []binaries) string {
	var names []string
	for _, b := range found {
		names = append(names, strconv.Itoa(b.major))
	}
	return strings.Join(slices.Compact(names), ", ")
}
