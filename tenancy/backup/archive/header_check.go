package archive

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// check returns an error for an invalid header.
func (h *Header) check(limits Limits) error {
	if h.PartSize < minPartSize || h.PartSize > MaxPartSize {
		return fmt.Errorf("part size %d is not between %d and %d", h.PartSize, minPartSize, MaxPartSize)
	}
	if h.Version < h.version() {
		return fmt.Errorf("version %d has no partitions and no leftOut", h.Version)
	}
	n := max(len(h.Tables), len(h.Sequences), len(h.MaterializedViews), len(h.Partitions), len(h.LeftOut))
	if n > limits.Tables {
		return fmt.Errorf("%d tables, sequences or views: %w", n, ErrLimit)
	}
	if h.LargeObjects != "none" {
		return fmt.Errorf("unknown policy %q for large objects", clip(h.LargeObjects))
	}
	if h.Encoding != "UTF8" {
		return fmt.Errorf("encoding %q is not UTF8", clip(h.Encoding))
	}
	seen := make(unique) // tables, sequences and views share one namespace
	for _, t := range h.Tables {
		if err := seen.add(t.Name); err != nil {
			return err
		}
		if err := t.check(limits); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
	}
	for _, s := range h.Sequences {
		if err := seen.add(s.Name); err != nil {
			return err
		}
	}
	for _, v := range h.MaterializedViews {
		if err := seen.add(v.Name); err != nil {
			return err
		}
	}
	for _, name := range h.LeftOut {
		if err := seen.add(name); err != nil {
			return err
		}
	}
	return h.checkPartitions(seen)
}

// version returns the oldest version of the format that has all of the header's fields.
func (h *Header) version() int {
	if len(h.Partitions) > 0 || len(h.LeftOut) > 0 {
		return 2
	}
	return 1
}

func (t *Table) check(limits Limits) error {
	if len(t.Columns) > limits.Columns {
		return fmt.Errorf("%d columns: %w", len(t.Columns), ErrLimit)
	}
	seen := make(unique)
	for _, c := range t.Columns {
		if err := seen.add(c.Name); err != nil {
			return err
		}
		switch c.Generated {
		case "", GeneratedStored, GeneratedVirtual:
		default:
			return fmt.Errorf("column %q has the unknown kind %q of generated columns", c.Name, clip(string(c.Generated)))
		}
		switch c.Identity {
		case "", IdentityAlways, IdentityByDefault:
		default:
			return fmt.Errorf("column %q has the unknown kind %q of identity columns", c.Name, clip(string(c.Identity)))
		}
	}
	return nil
}

// unique is a set of names.
type unique map[string]struct{}

// add adds a name that is valid in PostgreSQL and not in the set yet.
func (u unique) add(name string) error {
	switch _, twice := u[name]; {
	case twice:
		return fmt.Errorf("name %q occurs twice", name)
	case name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return fmt.Errorf("name %q is not 1 to %d bytes of UTF-8", clip(name), maxName)
	}
	u[name] = struct{}{}
	return nil
}
