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

// binaries are a directory with initdb and postgres.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// findBinaries returns the first binaries that do; with major set, the first of that version.
func findBinaries(ctx context.Context, cfg Config, major int) (binaries, error) {
	if cfg.BinDir != "" { // an order: nothing else will do
		b, err := inspect(ctx, cfg.BinDir)
		switch {
		case err != nil:
			return b, &NoBinariesError{Places: []Place{{cfg.BinDir, err}}}
		case major != 0 && b.major != major:
			return b, fmt.Errorf("%w: the cluster is of PostgreSQL %d, and %s holds PostgreSQL %d", ErrVersion, major, cfg.BinDir, b.major)
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
		return binaries{}, fmt.Errorf("%w: the cluster is of PostgreSQL %d, and this machine has PostgreSQL %s", ErrVersion, major, versions(found))
	}
	if cfg.From == Installed {
		return binaries{}, &NoBinariesError{Places: places}
	}
	b, err := download(ctx, cfg, major)
	if err != nil {
		return b, &NoBinariesError{Places: append(places, Place{"download", err})}
	}
	return b, nil
}

// installed returns the binaries of the machine, those of distributions first, newest
// first, and the places that had none.
func installed(ctx context.Context) (found []binaries, places []Place) {
	const pattern = "/usr/lib/postgresql/*/bin"
	dirs, _ := filepath.Glob(pattern) // the pattern is well-formed
	if len(dirs) == 0 {
		places = append(places, Place{pattern, errors.New("no such directory")})
	}
	for _, dir := range dirs {
		b, err := inspect(ctx, dir)
		if err != nil {
			places = append(places, Place{dir, err})
			continue
		}
		found = append(found, b)
	}
	slices.SortStableFunc(found, func(a, b binaries) int { return cmp.Compare(b.major, a.major) })

	dir, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
	var b binaries
	if err == nil {
		b, err = inspect(ctx, strings.TrimSpace(string(dir)))
	}
	if err != nil {
		return found, append(places, Place{"pg_config --bindir", err})
	}
	return append(found, b), places
}

// inspect reports which version a directory holds, if it holds what is needed.
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

// parseMajor reads "postgres (PostgreSQL) 15.18 (Debian ...)" and the like of 18beta1.
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
