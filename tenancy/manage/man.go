package manage

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// man returns the command that writes the man pages of all commands, including those that the
// program has added. It is hidden, because only packagers use it.
func (m *mount) man(root *cobra.Command) *cobra.Command {
	cmd := m.verb(verb{
		use: "man DIR", short: "Write a man page for each command",
		long:    "Write a man page for each command to a directory, which is created if necessary.",
		example: "  $0 man /usr/local/share/man/man1", hidden: true,
		flags: func(f *pflag.FlagSet) { f.String("section", "1", "section of the manual") },
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error { // does not open an App
		if err := os.MkdirAll(args[0], 0o755); err != nil {
			return err
		}
		root.Root().DisableAutoGenTag = true // equal input gives equal pages
		return doc.GenManTree(
			root.Root(),
			&doc.GenManHeader{Section: flagOf[string](cmd, "section"), Source: m.cfg.Name},
			args[0],
		)
	}
	return cmd
}
