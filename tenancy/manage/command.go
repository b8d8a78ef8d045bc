package manage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// mount is the tree of commands of one program.
type mount struct{ cfg Config }

// Command returns the root command, which has the name of the program. The program runs it as it
// is, adds commands to it, or adds it to a command of its own. Run it with [Run]. Command panics if
// cfg.Open is nil.
func Command(cfg Config) *cobra.Command {
	if cfg.Open == nil {
		panic("manage: Config.Open is nil")
	}
	if cfg.Name == "" {
		cfg.Name = filepath.Base(os.Args[0])
	}
	if cfg.Actor == nil {
		cfg.Actor = osUser
	}
	m := &mount{cfg}
	root := m.group(group{
		use:   cfg.Name[strings.LastIndex(cfg.Name, " ")+1:],
		short: "Manage tenants, their schemas and their backups",
		long: `Manage the tenants of this program: create and change tenants, migrate their schemas, back
them up, and check the database. The commands use the database that the program is configured for.

With --json a command writes only JSON to standard output: one object, or one object per line if it
lists something. Messages and progress go to standard error. An error is one line there.

Ctrl-C stops a command in an orderly way: it finishes or undoes the step in progress. Run the same
command again to continue. A second Ctrl-C ends the process at once. That is safe, too.`,
		example: `  $0 init
  $0 tenant create --name "School A" --subdomain schoola
  $0 migrate status
  $0 check --json`,
	}, m.init(), m.check(), m.tenant(), m.domain(), m.migrate(), m.drift(),
		m.backup(), m.restore(), m.clone(), m.export(), m.dump(), m.erase(),
		m.audit(), m.foreach(), m.shell())
	root.PersistentFlags().Bool("json", false, "write JSON to standard output")
	root.AddCommand(m.man(root))
	return root
}

// verb describes a command that does something.
type verb struct {
	use     string // the name and the arguments: "show SLUG", "list [SLUG]", "x ARG..."
	short   string
	long    string
	example string         // $0 stands for the program
	codes   map[int]string // codes besides those of all commands; "" for the general meaning of a code
	flags   func(f *pflag.FlagSet)
	values  cobra.CompletionFunc // completes the arguments
	needs   []need
	run     action
	hidden  bool
}

// verb returns the command that v describes.
func (m *mount) verb(v verb) *cobra.Command {
	cmd := &cobra.Command{
		Use: v.use, Short: v.short, Long: fill(v.long, helpWidth) + codesHelp(v.codes), Example: m.example(v.example),
		Args: arguments(v.use), RunE: m.runner(written(v.run), v.needs), ValidArgsFunction: v.values,
		SilenceErrors: true, SilenceUsage: true, DisableFlagsInUseLine: true, Hidden: v.hidden,
	}
	if v.values == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	if v.flags != nil {
		v.flags(cmd.Flags())
	}
	m.completeFlags(cmd)
	if !strings.Contains(v.use, "flags") {
		cmd.Use += " [flags]"
	}
	cmd.SetFlagErrorFunc(flagError)
	return cmd
}

// group describes a command that has subcommands.
type group struct{ use, short, long, example string }

// group returns the command that g describes, with its subcommands. Without a subcommand it prints
// its help.
func (m *mount) group(g group, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: g.use, Short: g.short, Long: fill(g.long, helpWidth) + codesHelp(nil), Example: m.example(g.example),
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true, SilenceUsage: true, DisableFlagsInUseLine: true, SuggestionsMinimumDistance: 2,
	}
	cmd.SetFlagErrorFunc(flagError)
	cmd.AddCommand(commands...)
	return cmd
}

func (m *mount) example(text string) string { return strings.ReplaceAll(text, "$0", m.cfg.Name) }

func flagError(_ *cobra.Command, err error) error { return usagef("%s", err) }

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q for %q: did you mean %s?", args[0], cmd.CommandPath(), strings.Join(near, " or "))
	}
	return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
}

// arguments returns a check of the number of arguments, according to the names in use.
func arguments(use string) cobra.PositionalArgs {
	names := slices.DeleteFunc(strings.Fields(use)[1:], func(s string) bool { return s == "[flags]" || s == "--" })
	least, most := 0, len(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "[") {
			least++
		}
		if strings.Contains(name, "...") {
			most = -1
		}
	}
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s is missing", strings.Join(names[len(args):least], " and "))
		case most >= 0 && len(args) > most:
			return usagef("unexpected argument %q", args[most])
		}
		return nil
	}
}
