package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
)

// Source has the migrations of one module. It needs FS or Go, or both.
type Source struct {
	// Name is in errors, logs and [Migration.Source]. It is required and unique in a set.
	Name string

	// FS has the *.sql files at its root. Other files are ignored. Nil means no files.
	FS fs.FS

	// Go are the Go migrations. They share one sequence of versions with the files.
	Go []GoMigration

	// Base is added to each version of the source. With it two modules that both begin at 1 can share
	// a set: the version table of a schema has versions only, and not their sources. Base must never
	// change once a schema was migrated. The goose CLI takes versions from file names, so it needs
	// files that are renamed to version plus base. Default: 0.
	Base int64

	// CompatibleFrom is the oldest version of this source whose programs can still work with a schema
	// at the newest version of this source. It is a file's number, without Base, and at most the
	// newest. Each run that applies migrations records it in the schema, beside the checksums. So a
	// program that was rolled back to an older version knows whether it may serve the schema: it may
	// if the schema is [NewerCompatible], and must not if it is [UnknownVersion]. Raise CompatibleFrom
	// with each migration that removes or renames what older programs use. Default: 0, no older
	// program.
	CompatibleFrom int64
}

// GoMigration is a migration in Go. Exactly one of Up and UpNoTx must be set, and at most one of
// Down and DownNoTx. If neither of the latter is set, the migration cannot be undone ([ErrNoDown]).
//
// The context of all four functions is the caller's and has the schema, see
// [schemactx.FromContext]. Unqualified names mean the schema. As many goroutines call the functions
// as schemas are migrated at a time, and each call has its own goroutine. A panic is reported as a
// [PanicError] of its schema. A Go migration has no checksum.
//
// [schemactx.FromContext]: https://pkg.go.dev/github.com/oryne/pgtenant/schemactx#FromContext
type GoMigration struct {
	Version int64  // from 1
	Name    string // as in a file name, behind the version, such as "fill_slugs"

	// Up and Down run in the transaction of the migrations around them. They must not end it;
	// otherwise the error is [ErrTransactionEnded].
	Up, Down func(ctx context.Context, tx pgx.Tx) error

	// UpNoTx and DownNoTx run by themselves, on a connection that is closed afterwards. After a crash
	// before the row in the version table is committed, they run again.
	UpNoTx, DownNoTx func(ctx context.Context, conn *pgx.Conn) error
}

// load reads the migrations of a source, sorted by version.
func (src Source) load(schema string) ([]*migration, error) {
	switch {
	case src.Name == "":
		return nil, errors.New("migrate: a source needs a name")
	case src.FS == nil && len(src.Go) == 0:
		return nil, fmt.Errorf("migrations of %q: neither files nor functions", src.Name)
	case src.Base < 0:
		return nil, fmt.Errorf("migrations of %q: base %d is negative", src.Name, src.Base)
	case src.CompatibleFrom < 0:
		return nil, fmt.Errorf("migrations of %q: CompatibleFrom %d is negative", src.Name, src.CompatibleFrom)
	}
	all, err := src.loadFiles(schema)
	if err != nil {
		return nil, err
	}
	for _, g := range src.Go {
		m, err := g.migration(src.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for _, m := range all {
		if m.version += src.Base; m.version < src.Base {
			return nil, &ParseError{Source: m.source, File: m.file, Reason: "has a version that is too large for its base"}
		}
	}
	if err := checkGaps(all, src.Base); err != nil {
		return nil, err
	}
	return all, src.originate(all)
}

// SchemaFS is a file system with shared migrations whose files name the schema public. The shared
// migrations of this library's packages are in such file systems.
type SchemaFS interface {
	fs.FS

	// InSchema returns the text of a migration for another schema than public.
	InSchema(text, schema string) (string, error)

	// Tables returns names of tables that the first migration creates. If no migration of the source
	// is applied, a table of such a name is a [ForeignTableError].
	Tables() []string
}

// read returns the text of a file for the schema.
func (src Source) read(file, schema string) (string, error) {
	content, err := fs.ReadFile(src.FS, file)
	if err != nil {
		return "", err
	}
	files, ok := src.FS.(SchemaFS)
	if !ok || schema == schemactx.Public {
		return string(content), nil
	}
	return files.InSchema(string(content), schema)
}

func (src Source) loadFiles(schema string) ([]*migration, error) {
	if src.FS == nil {
		return nil, nil
	}
	files, err := fs.Glob(src.FS, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("migrations of %q: %w", src.Name, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("migrations of %q: no *.sql files at the root", src.Name)
	}
	all := make([]*migration, len(files))
	for i, file := range files {
		text, err := src.read(file, schema)
		if err != nil {
			return nil, fmt.Errorf("migrations of %q: %w", src.Name, err)
		}
		if all[i], err = parse(src.Name, file, text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// migration returns g as a migration, or an error if it is not valid. Errors name it as a file
// <version>_<name>.go.
func (g GoMigration) migration(source string) (*migration, error) {
	m := &migration{
		source: source, file: fmt.Sprintf("%05d_%s.go", g.Version, g.Name), name: g.Name, version: g.Version,
		kind: KindGo, noTx: g.UpNoTx != nil, goUp: g.Up, goDown: g.Down, goUpNoTx: g.UpNoTx, goDownNoTx: g.DownNoTx,
	}
	refuse := func(reason string) error { return &ParseError{Source: source, File: m.file, Reason: reason} }
	switch {
	case g.Version < 1:
		return nil, refuse("has a version below 1")
	case g.Name == "" || path.Base(g.Name) != g.Name || strings.ContainsFunc(g.Name, isControl):
		return nil, refuse("has a name that no file could have")
	case (g.Up == nil) == (g.UpNoTx == nil):
		return nil, refuse("needs exactly one of Up and UpNoTx")
	case g.Down != nil && g.DownNoTx != nil:
		return nil, refuse("has both Down and DownNoTx")
	}
	m.noTxDown = g.DownNoTx != nil
	m.hasDown = g.Down != nil || g.DownNoTx != nil
	return m, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
