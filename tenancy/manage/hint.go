package manage

import (
	"github.com/spf13/pflag"

	"github.com/oryne/pgtenant/internal/hint"
)

// hint is a command for people to type, in quotation marks, with those flags of the program that
// this one was given, such as the database's.
func (c *call) hint(words ...string) string { return c.hintWithout("", words...) }

// hintForOther is a hint for another person, who is another actor.
func (c *call) hintForOther(words ...string) string { return c.hintWithout("actor", words...) }

func (c *call) hintWithout(left string, words ...string) string {
	c.cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "json" || f.Name == left {
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
