package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/oryne/pgtenant/tenancy/backup"
	"github.com/oryne/pgtenant/tenancy/backup/archive"
)

// A backup can be read without a database: with package archive, or with tar and zstd.
func ExampleService_Check() {
	p, done := newPlatform()
	defer done()
	ctx := context.Background()
	backups, err := backup.New(backup.Config{Pool: p.Owner, Tenants: p.Tenants, Migrations: p.Runner, Store: p.Store})
	orPanic(err)
	info, err := backups.Backup(ctx, "north", backup.BackupOptions{})
	orPanic(err)

	header, manifest, err := backups.Check(ctx, info.Name) // reads it to its end
	orPanic(err)
	fmt.Println(header.Tenant.Slug, header.Tenant.Domains[0].Host, "at version", header.Migrations[0].Version)
	for _, table := range manifest.Tables {
		fmt.Println(table.Name, table.Rows, "rows")
	}

	file, err := p.Store.Open(ctx, info.Name)
	orPanic(err)
	defer file.Close()
	r, err := archive.NewReader(file, archive.ReaderOptions{})
	orPanic(err)
	defer r.Close()
	for {
		table, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		orPanic(err)
		_, err = io.Copy(os.Stdout, table)
		orPanic(err)
	}
	// Output:
	// north north.example.com at version 1
	// students 2 rows
	// id,name,note
	// 1,Amara,""
	// 2,Bruno,
}
