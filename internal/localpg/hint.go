package localpg

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// packageManagers are the commands that install a PostgreSQL server with the extensions of contrib.
var packageManagers = []struct{ program, command string }{
	{"apt-get", "apt-get install -y postgresql"},
	{"dnf", "dnf install -y postgresql-server postgresql-contrib"},
	{"yum", "yum install -y postgresql-server postgresql-contrib"},
	{"zypper", "zypper install -y postgresql-server postgresql-contrib"},
	{"apk", "apk add postgresql postgresql-contrib"},
	{"pacman", "pacman -S --noconfirm postgresql"},
}

// installCommand returns the command that installs a PostgreSQL server on this system, or "" if no
// command is known.
func installCommand() string {
	has := func(program string) bool { _, err := exec.LookPath(program); return err == nil }
	switch runtime.GOOS {
	case "darwin", "windows":
		return map[string]string{
			"darwin": "brew install postgresql@17", "windows": "winget install PostgreSQL.PostgreSQL.17",
		}[runtime.GOOS]
	case "freebsd":
		return asRoot("pkg install -y postgresql17-server postgresql17-contrib", has)
	}
	for _, m := range packageManagers {
		if has(m.program) {
			return asRoot(m.command, has)
		}
	}
	return ""
}

// asRoot returns a command line that runs command as root.
func asRoot(command string, has func(program string) bool) string {
	switch {
	case os.Getuid() == 0:
		return command
	case has("sudo"):
		return "sudo " + command
	case has("doas"):
		return "doas " + command
	}
	return "su -c " + "'" + strings.ReplaceAll(command, "'", "") + "'"
}
