package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// An archive is written table by table and read in the same order.
func Example() {
	header := archive.Header{
		Tenant: archive.Tenant{ID: 7, Slug: "north"}, Schema: "tenant_7", Encoding: "UTF8", LargeObjects: "none",
		TakenAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Tables:  []archive.Table{{Name: "students", Columns: []archive.Column{{Name: "name", Type: "text"}}}},
	}
	var file bytes.Buffer
	w, err := archive.NewWriter(&file, header, archive.WriterOptions{})
	orPanic(err)
	defer w.Abort()
	table, err := w.Table("students")
	orPanic(err)
	_, err = io.WriteString(table, "name\nAmara\n")
	orPanic(err)
	orPanic(table.Close(1))
	_, err = w.Close()
	orPanic(err)

	r, err := archive.NewReader(&file, archive.ReaderOptions{})
	orPanic(err)
	defer r.Close()
	for {
		table, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		orPanic(err)
		rows, err := io.ReadAll(table)
		orPanic(err)
		fmt.Printf("%s: %q\n", table.Name, rows)
	}
	fmt.Println("verified:", r.Manifest().Rows(), "row")
	// Output:
	// students: "name\nAmara\n"
	// verified: 1 row
}

func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
