package manage

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

func yesFlag(f *pflag.FlagSet) { f.Bool("yes", false, "do not ask for confirmation") }

// interactive reports whether standard input is a terminal, so that the user can be asked.
func (c *call) interactive() bool { return isTerminal(c.cmd.InOrStdin()) }

// confirm prints what will be lost and asks the user to type word, which names the object. With
// --yes it does not ask. Without a terminal --yes is required.
func (c *call) confirm(what, word string) error {
	if flagOf[bool](c.cmd, "yes") {
		return nil
	}
	if !c.interactive() {
		return &codeError{CodeUnconfirmed, fmt.Errorf("%s There is no terminal to ask for confirmation: use --yes", what)}
	}
	for line := range strings.Lines(what) {
		c.note("%s", strings.TrimRight(line, "\n"))
	}
	return c.typed(word)
}

// typed asks the user to type word. Any other answer is an error.
func (c *call) typed(word string) error {
	fmt.Fprintf(c.stderr(), "Type %s to continue: ", clean(word))
	answer, err := c.stdin.ReadString('\n')
	if err != nil && !isEOF(err) {
		return err
	}
	if strings.TrimSpace(answer) != word {
		return &codeError{CodeUnconfirmed, fmt.Errorf("the answer was not %q: nothing was changed", word)}
	}
	return nil
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
