package manage

import (
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/internal/hint"
)

// hint returns a command for the user to type, in quotation marks. It repeats the program's own
// flags of the current run, such as that of the database, without passwords.
func (c *call) hint(words ...string) string { return c.hintWithout("", words...) }

// hintForOther returns a hint for another person. It omits --actor, because that person is another
// actor.
func (c *call) hintForOther(words ...string) string { return c.hintWithout("actor", words...) }

// hintWithout returns a hint that omits the flag with the name left.
func (c *call) hintWithout(omitted string, words ...string) string {
	c.cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "json" || f.Name == omitted {
			return
		}
		if value := hint.WithoutPassword(f.Value.String()); f.NoOptDefVal == value {
			words = append(words, "--"+f.Name)
		} else {
			words = append(words, "--"+f.Name, value)
		}
	})
	return "'" + c.name + " " + hint.Command(words...) + "'"
}
