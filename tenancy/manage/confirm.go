package manage

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

func yesFlag(f *pflag.FlagSet) { f.Bool("yes", false, "do not ask") }

// interactive reports whether there is somebody to ask.
func (c *call) interactive() bool { return isTerminal(c.cmd.InOrStdin()) }

// confirm says what will be lost and asks for a word, which is the name of what it happens to.
// Where nobody can be asked, --yes stands for the answer.
func (c *call) confirm(what, word string) error {
	if flagOf[bool](c.cmd, "yes") {
		return nil
	}
	if !c.interactive() {
		return &codeError{CodeUnconfirmed, fmt.Errorf("%s Nobody can be asked here: --yes is needed", what)}
	}
	for line := range strings.Lines(what) {
		c.note("%s", strings.TrimRight(line, "\n"))
	}
	return c.typed(word)
}

// typed asks for a word. Anything else is no.
func (c *call) typed(word string) error {
	fmt.Fprintf(c.stderr(), "Type %s to go on: ", clean(word))
	answer, err := c.stdin.ReadString('\n')
	if err != nil && !isEOF(err) {
		return err
	}
	if strings.TrimSpace(answer) != word {
		return &codeError{CodeUnconfirmed, errors.New("that was not the name: nothing was changed")}
	}
	return nil
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
