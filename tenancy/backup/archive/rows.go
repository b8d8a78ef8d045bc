package archive

import "bytes"

// rowCounter counts the rows of CSV without the header line: line ends outside of quotes. The CSV
// can be added in pieces of any size.
type rowCounter struct {
	lines  int64
	quoted bool
	begun  bool // whether the last line is incomplete
}

func (c *rowCounter) add(csv []byte) {
	for len(csv) > 0 {
		plain, rest, quote := bytes.Cut(csv, []byte{'"'})
		if !c.quoted {
			c.lines += int64(bytes.Count(plain, []byte{'\n'}))
		}
		c.begun = quote || c.quoted || plain[len(plain)-1] != '\n'
		if quote {
			c.quoted = !c.quoted // a doubled quote toggles it twice
		}
		csv = rest
	}
}

func (c *rowCounter) rows() int64 {
	if c.begun {
		return c.lines
	}
	return c.lines - 1
}
