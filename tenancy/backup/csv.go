package backup

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord bounds a row, in bytes. PostgreSQL has no longer ones.
const maxRecord = 1 << 30

// maxHeader bounds the line with the column names, in bytes: 1600 columns whose names consist of 63
// quotes, each doubled, with two enclosing quotes and a comma.
const maxHeader = 1600 * (2*63 + 3)

var (
	errRecord  = errors.New("row is larger than 1 GiB")
	errNoRow   = errors.New("ends inside a row")
	errQuoting = errors.New("row is not quoted as COPY quotes it")
)

// rowReader reads the rows of a CSV that PostgreSQL wrote. A quoted value may contain line ends.
type rowReader struct {
	r     *bufio.Reader
	limit int
	row   []byte
}

// next returns the next row with its line end. The row is valid until the next call. After the last
// row it returns io.EOF.
func (c *rowReader) next() ([]byte, error) {
	c.row = c.row[:0]
	quotes := 0
	for {
		line, err := c.r.ReadSlice('\n')
		c.row = append(c.row, line...)
		quotes += bytes.Count(line, []byte{'"'})
		switch {
		case len(c.row) > c.limit:
			return nil, errRecord
		case errors.Is(err, io.EOF) && len(c.row) > 0:
			return nil, errNoRow
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case err == nil && quotes%2 == 0:
			return c.row, nil
		}
	}
}

// value is one field of a row. An empty field without quotes is null.
type value struct {
	text string
	null bool
}

// splitRow splits a row into its values.
func splitRow(row []byte) ([]value, error) {
	row = bytes.TrimSuffix(row, []byte{'\n'})
	var values []value
	for {
		v, rest, err := parseField(row)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if len(rest) == 0 {
			return values, nil
		}
		row = rest[1:] // skip the comma
	}
}

// parseField parses the first field of a row; rest is empty or begins with a comma.
func parseField(row []byte) (v value, rest []byte, err error) {
	if len(row) == 0 || row[0] != '"' {
		end := bytes.IndexByte(row, ',')
		if end < 0 {
			end = len(row)
		}
		if bytes.IndexByte(row[:end], '"') >= 0 {
			return v, nil, errQuoting
		}
		return value{string(row[:end]), end == 0}, row[end:], nil
	}
	var text []byte
	for row = row[1:]; ; {
		end := bytes.IndexByte(row, '"')
		if end < 0 {
			return v, nil, errQuoting
		}
		text = append(text, row[:end]...)
		row = row[end+1:]
		if len(row) == 0 || row[0] == ',' {
			return value{string(text), false}, row, nil
		}
		if row[0] != '"' {
			return v, nil, errQuoting
		}
		text = append(text, '"')
		row = row[1:]
	}
}

// appendField appends a field that COPY reads as v.
func appendField(to []byte, v value) []byte {
	if v.null {
		return to
	}
	to = append(to, '"')
	to = append(to, bytes.ReplaceAll([]byte(v.text), []byte{'"'}, []byte(`""`))...)
	return append(to, '"')
}
