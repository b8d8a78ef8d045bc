package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// Column identifies a column of a tenant's tables.
type Column struct{ Table, Name string }

// Value is one value of a column, in COPY's text form.
type Value struct {
	Column Column
	Text   string // empty if Null
	Null   bool
}

// Anonymizer replaces the values of one column.
type Anonymizer interface {
	// Anonymize returns the value that the clone gets instead of v. Fields that it does not change
	// keep their value. It is called for each row, in the order of the table, from one goroutine at a
	// time. An error stops the clone. ctx is the clone's.
	Anonymize(ctx context.Context, v Value) (Value, error)
}

// AnonymizerFunc adapts a function to [Anonymizer].
type AnonymizerFunc func(ctx context.Context, v Value) (Value, error)

// Anonymize calls f.
func (f AnonymizerFunc) Anonymize(ctx context.Context, v Value) (Value, error) { return f(ctx, v) }

// anonymizers are the anonymizers of one table by the index of the column in its CSV.
type anonymizers map[int]Anonymizer

// anonymizersOf groups the anonymizers by table. A column that does not exist is an error: with a
// misspelled name, the values of the intended column would be copied unchanged.
func anonymizersOf(tables []archive.Table, all map[Column]Anonymizer) (map[string]anonymizers, error) {
	found := make(map[string]anonymizers)
	left := maps.Clone(all)
	for _, t := range tables {
		for i, name := range t.Stored() {
			column := Column{t.Name, name}
			a, ok := left[column]
			if !ok {
				continue
			}
			if a == nil {
				return nil, &tenancy.FieldError{Field: "anonymize", Value: t.Name + "." + name, Rule: "is nil"}
			}
			if found[t.Name] == nil {
				found[t.Name] = make(anonymizers)
			}
			found[t.Name][i] = a
			delete(left, column)
		}
	}
	for column := range left {
		return nil, &tenancy.FieldError{
			Field: "anonymize", Value: column.Table + "." + column.Name, Rule: "is not a stored column of the tenant's tables",
		}
	}
	return found, nil
}

// rewrite copies the CSV of a table row by row and replaces columns. It holds one row in memory.
func (a anonymizers) rewrite(ctx context.Context, table string, from io.Reader, to io.Writer) error {
	rows := rowReader{r: bufio.NewReaderSize(from, 64<<10), limit: maxRecord}
	out := bufio.NewWriterSize(to, 64<<10)
	header, err := rows.next()
	if err != nil {
		return err
	}
	names, err := splitRow(header)
	if err != nil {
		return err
	}
	if _, err := out.Write(header); err != nil {
		return err
	}
	order := slices.Sorted(maps.Keys(a))
	var row []byte
	for {
		record, err := rows.next()
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		values, err := splitRow(record)
		if err != nil {
			return err
		}
		if len(values) != len(names) {
			return errColumns
		}
		for _, i := range order {
			v, err := a[i].Anonymize(ctx, Value{Column{table, names[i].text}, values[i].text, values[i].null})
			if err != nil {
				return fmt.Errorf("anonymize %q.%q: %w", table, names[i].text, err)
			}
			values[i] = value{v.Text, v.Null}
		}
		row = row[:0]
		for i, v := range values {
			if i > 0 {
				row = append(row, ',')
			}
			row = appendField(row, v)
		}
		if _, err := out.Write(append(row, '\n')); err != nil {
			return err
		}
	}
}
