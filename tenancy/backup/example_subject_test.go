package backup_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy/backup"
)

// A person asks for the data that a tenant has about them. The program configures where it is.
func ExampleSubjectExporter() {
	p := openHosting(nil)
	defer p.close()
	ctx := context.Background()
	runtime, err := pgxpool.New(ctx, p.runtimeURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer runtime.Close()
	db, err := schemactx.New(runtime, schemactx.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	exporter, err := backup.NewSubjectExporter(db, backup.SubjectConfig{Queries: []backup.SubjectQuery{
		{Name: "notes", SQL: "select id, body from notes where author = $1 order by id"},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant, err := p.tenants.BySlug(ctx, "north")
	if err != nil {
		fmt.Println(err)
		return
	}
	var zip bytes.Buffer // to be sent to the person
	manifest, err := exporter.Export(ctx, &tenant, "ada@example.com", &zip)
	fmt.Println(manifest.Files[0].Name, manifest.Files[0].Rows, err)

	// Output:
	// notes.csv 1 <nil>
}
