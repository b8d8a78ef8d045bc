package localpg

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is the operating system user that the server runs as.
type account struct {
	name     string
	uid, gid int
	drop     bool // the current user is root, and the server runs as this user
}

// serverAccount returns the current user. For root it returns postgres or nobody, because
// PostgreSQL refuses to run as root.
func serverAccount() (account, error) {
	if os.Getuid() != 0 {
		return account{uid: os.Getuid(), gid: os.Getgid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid != 0 {
			return account{name: name, uid: uid, gid: gid, drop: true}, nil
		}
	}
	return account{}, fmt.Errorf(
		"localpg: PostgreSQL does not run as root, and there is no user postgres or nobody to run it as",
	)
}

// chown gives path to the account, unless the account is the current user.
func (a account) chown(path string) error {
	if !a.drop {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// checkEnter returns an error that names the first parent of dir that the account cannot enter.
// Parents that do not exist yet are created so that it can.
func (a account) checkEnter(dir string) error {
	if !a.drop {
		return nil
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err == nil && !a.mayEnter(info) {
			return fmt.Errorf(
				"data directory %s: %w by the user %q, which PostgreSQL runs as when root starts it: %s is closed to it",
				dir,
				ErrNotEnterable,
				a.name,
				parent,
			)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}
