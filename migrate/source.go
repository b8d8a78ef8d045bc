package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Source is a module's migrations.
type Source struct {
	Name string // in errors and logs
	FS   fs.FS  // *.sql at its root; anything else is not looked at
}

// set is what the sources of one kind of schema have, by version.
type set []*migration

// load reads the sources of a set.
func load(sources []Source) (set, error) {
	var all set
	byVersion := make(map[int64]*migration)
	for _, src := range sources {
		if src.Name == "" || src.FS == nil {
			return nil, errors.New("migrate: a source needs a name and files")
		}
		files, err := fs.Glob(src.FS, "*.sql")
		if err != nil {
			return nil, fmt.Errorf("migrations of %q: %w", src.Name, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("migrations of %q: no *.sql files at the root", src.Name)
		}
		for _, file := range files {
			content, err := fs.ReadFile(src.FS, file)
			if err != nil {
				return nil, fmt.Errorf("migrations of %q: %w", src.Name, err)
			}
			m, err := parse(src.Name, file, string(content))
			if err != nil {
				return nil, err
			}
			if other, taken := byVersion[m.version]; taken {
				return nil, &ParseError{Source: m.source, File: m.file, Reason: fmt.Sprintf("has the version of %s/%s", other.source, other.file)}
			}
			byVersion[m.version] = m
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *migration) int { return cmp.Compare(a.version, b.version) })
	return all, nil
}

// pending returns what is not applied, oldest first, or why it cannot be applied.
func (s set) pending(applied map[int64]bool) ([]*migration, error) {
	known := make(map[int64]bool, len(s))
	newest := make(map[string]int64) // applied, by source
	for _, m := range s {
		known[m.version] = true
		if applied[m.version] {
			newest[m.source] = max(newest[m.source], m.version)
		}
	}
	for version := range applied {
		if !known[version] {
			return nil, fmt.Errorf("%w: %d", ErrUnknownVersion, version)
		}
	}
	var todo []*migration
	for _, m := range s {
		switch {
		case applied[m.version]:
		case m.version < newest[m.source]:
			return nil, fmt.Errorf("%w: %s/%s, and %d is applied", ErrOutOfOrder, m.source, m.file, newest[m.source])
		default:
			todo = append(todo, m)
		}
	}
	return todo, nil
}
