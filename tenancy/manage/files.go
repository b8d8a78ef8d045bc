package manage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
)

func outFlag(f *pflag.FlagSet, usage string) {
	f.StringP("out", "o", "", usage+"; - for standard output")
}

// writeFile calls write with the file that --out names. The file must not exist yet, only its owner
// can read it, and it appears only when it is complete. With "-" write gets the standard output,
// and the command's messages go to standard error.
func (c *call) writeFile(write func(w io.Writer) error) (err error) {
	path := flagOf[string](c.cmd, "out")
	if path == "-" {
		if isTerminal(c.w) {
			return usagef("--out - does not write to a terminal: redirect standard output")
		}
		out := c.w
		c.w = c.stderr()
		return write(out)
	}
	if _, err := os.Lstat(path); err == nil {
		return usagef("--out %s already exists", path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".pgtenant-*") // created with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	if err := errors.Join(write(tmp), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil { // unlike rename, link never replaces a file
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
