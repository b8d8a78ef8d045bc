package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

var _ Sweeper = (*Dir)(nil)

// Sweep deletes temporary files that killed processes have left, see [Sweeper].
func (d *Dir) Sweep(ctx context.Context, prefix string, before time.Time) (removed []string, err error) {
	err = fs.WalkDir(d.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && !mayContain(name, prefix):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		whole, is := targetName(name)
		if !is || !strings.HasPrefix(whole, prefix) {
			return nil
		}
		info, err := entry.Info()
		if err == nil && info.ModTime().Before(before) {
			if err = d.root.Remove(name); err == nil {
				removed = append(removed, name)
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // committed or aborted since
			return nil
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("sweep %q: %w", prefix, err)
	}
	return removed, err
}

// tempLength is the number of random letters and digits in a temporary name.
const tempLength = 8

// tempName returns a temporary name for a file.
func tempName(name, random string) string {
	return path.Join(path.Dir(name), "."+path.Base(name)+"."+strings.ToLower(random[:tempLength]))
}

// targetName returns the final name for a temporary name. It reports false for files of other
// programs that begin with a dot, which are left alone.
func targetName(temp string) (name string, is bool) {
	base, dotted := strings.CutPrefix(path.Base(temp), ".")
	end := len(base) - tempLength - 1
	if !dotted || end < 1 || base[end] != '.' || strings.Trim(base[end+1:], "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", false
	}
	name = path.Join(path.Dir(temp), base[:end])
	return name, CheckName(name) == nil
}
