package erp

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// studentRow is a student in a file.
type studentRow struct {
	line    int
	student NewStudent
	class   NewClass // by its names, if ClassID is nil; zero: no class
}

// importColumns are the columns that a file of students can have. The first three are required.
var importColumns = []string{
	"admission_number",
	"first_name",
	"last_name",
	"date_of_birth",
	"class_id",
	"class",
	"section",
	"year",
}

const requiredColumns = 3

// readStudents reads a CSV file and returns its rows. Errors in rows go into the report; the error
// is that of reading.
func readStudents(file io.Reader, report *ImportReport) (rows []studentRow, err error) {
	in := csv.NewReader(withoutMark(file))
	in.ReuseRecord = true
	columns, err := readHeader(in, report)
	if err != nil || columns == nil {
		return nil, err
	}
	for {
		fields, err := in.Read()
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return rows, nil
		case errors.As(err, &bad) && !errors.Is(err, csv.ErrFieldCount): // the rows after it cannot be separated
			report.add(bad.Line, "", "is not CSV: a quote is out of place")
			return rows, nil
		case err != nil && bad == nil:
			return nil, err
		}
		line, _ := in.FieldPos(0)
		if report.Rows == MaxImportRows { // invalid rows count too; reading stops here
			report.add(line, "", "is one too many: a file can have "+strconv.Itoa(MaxImportRows)+" rows")
			return rows, nil
		}
		report.Rows++
		if bad != nil {
			report.add(line, "", "has not as many fields as the header")
			continue
		}
		rows = append(rows, readStudent(line, columns, fields, report))
	}
}

// withoutMark skips the byte order mark that spreadsheets write at the start of a file.
func withoutMark(file io.Reader) io.Reader {
	in := bufio.NewReader(file)
	mark := []byte("\ufeff")
	if start, _ := in.Peek(len(mark)); bytes.Equal(start, mark) { // Read returns the error again
		_, _ = in.Discard(len(mark))
	}
	return in
}

// readHeader returns the position of each column, or nil if the report says why the header is
// invalid.
func readHeader(in *csv.Reader, report *ImportReport) (columns map[string]int, err error) {
	header, err := in.Read()
	var bad *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		report.add(1, "", "is missing: the first row names the columns")
		return nil, nil
	case errors.As(err, &bad):
		report.add(bad.Line, "", "is not CSV: a quote is out of place")
		return nil, nil
	case err != nil:
		return nil, err
	}
	columns = make(map[string]int, len(header))
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := columns[name]; twice {
			report.add(1, name, "is there twice")
		} else if !slices.Contains(importColumns, name) {
			report.add(1, strings.ToValidUTF8(name, "?"), "is not a known column: "+strings.Join(importColumns, ", "))
		}
		columns[name] = i
	}
	for _, name := range importColumns[:requiredColumns] {
		if _, ok := columns[name]; !ok {
			report.add(1, name, "is missing")
		}
	}
	if len(report.Errors) > 0 {
		return nil, nil
	}
	return columns, nil
}

// readStudent reads a row. Blanks around a field are ignored.
func readStudent(line int, columns map[string]int, fields []string, report *ImportReport) studentRow {
	field := func(name string) string {
		if i, ok := columns[name]; ok {
			return strings.Clone(strings.TrimSpace(fields[i])) // so that the row is not kept in memory
		}
		return ""
	}
	row := studentRow{line: line, student: NewStudent{
		AdmissionNumber: field("admission_number"), FirstName: field("first_name"), LastName: field("last_name"),
	}}
	if birth := field("date_of_birth"); birth != "" {
		day, err := time.Parse(time.DateOnly, birth)
		if err != nil {
			report.add(line, "date_of_birth", "is not a day like 2006-01-02")
		} else {
			row.student.DateOfBirth = &Date{day}
		}
	}
	row.readClass(field, report)
	var invalid *InputError
	if errors.As(row.student.Validate(), &invalid) {
		for _, f := range invalid.Fields {
			report.add(line, f.Field, f.Rule)
		}
		row.student.ClassID = nil // an invalid class is not looked up
	}
	return row
}

// readClass reads the class of a row.
func (row *studentRow) readClass(field func(string) string, report *ImportReport) {
	id, class, section, year := field("class_id"), field("class"), field("section"), field("year")
	switch {
	case id != "" && class+section+year != "":
		report.add(row.line, "class_id", "is there beside the names of a class")
	case id != "":
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n < 1 {
			report.add(row.line, "class_id", "is no class of this school")
			return
		}
		row.student.ClassID = &n
	case class+section+year != "":
		n, _ := strconv.Atoi(year) // 0 is no valid year
		named := NewClass{Name: class, Section: section, Year: n}
		if err := named.Validate(); err != nil {
			report.add(row.line, "class", "is none that there could be: "+err.Error())
			return
		}
		row.class = named
	}
}
