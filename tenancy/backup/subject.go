package backup

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/oryne/pgtenant/schemactx"
	"github.com/oryne/pgtenant/tenancy"
)

// SubjectQuery is what a program knows to find of one person in a tenant's schema.
type SubjectQuery struct {
	Name string // of the file: [a-z0-9_-]{1,60}
	SQL  string // one statement that reads, with one parameter: "select * from students where email = $1 order by id"
}

// SubjectFormat is how rows are written.
type SubjectFormat uint8

const (
	// SubjectCSV writes one CSV for each query, with a header. Null is an empty field, an empty text is "". It is the zero value.
	SubjectCSV SubjectFormat = iota

	// SubjectJSON writes an array of objects for each query. What is no number, bool, JSON or null is PostgreSQL's text.
	SubjectJSON
)

// SubjectConfig says what a person's data is.
type SubjectConfig struct {
	// Queries are run in this order. At least one.
	Queries []SubjectQuery

	// Format of the files. Default: [SubjectCSV].
	Format SubjectFormat

	// Logger gets a record for each export, without the subject. Nil discards.
	Logger *slog.Logger
}

// SubjectExporter answers a person's request for the data about them (such as of article 15 or 20 of the GDPR). It is safe for concurrent use.
type SubjectExporter struct {
	db  *schemactx.DB
	cfg SubjectConfig
}

// SubjectError says which query of a [SubjectConfig] cannot be taken, or has failed.
type SubjectError struct {
	Query string // its name, as given
	Err   error
}

// Error returns the query and the cause.
func (e *SubjectError) Error() string { return fmt.Sprintf("subject query %q: %v", e.Query, e.Err) }

// Unwrap returns the cause.
func (e *SubjectError) Unwrap() error { return e.Err }

// ErrInvalidSubject is returned for a subject that is empty, too long, or no text that PostgreSQL takes.
var ErrInvalidSubject = errors.New("subject is not a text of 1 to 1000 bytes")

// maxSubject bounds a subject, in bytes.
const maxSubject = 1000

var subjectName = regexp.MustCompile(`^[a-z0-9_-]{1,60}$`)

// NewSubjectExporter checks the configuration. db is a scoped handle, so that a query sees what the tenant's own requests can see.
// The error is a [SubjectError]. Whether a statement is right shows when it is run.
func NewSubjectExporter(db *schemactx.DB, cfg SubjectConfig) (*SubjectExporter, error) {
	switch {
	case db == nil:
		return nil, errors.New("backup: the handle of a SubjectExporter is nil")
	case len(cfg.Queries) == 0:
		return nil, errors.New("backup: SubjectConfig.Queries is empty")
	case cfg.Format > SubjectJSON:
		return nil, fmt.Errorf("backup: %d is no SubjectFormat", cfg.Format)
	}
	seen := map[string]bool{manifestName: true}
	for _, q := range cfg.Queries {
		switch {
		case !subjectName.MatchString(q.Name):
			return nil, &SubjectError{q.Name, errors.New("name does not match " + subjectName.String())}
		case seen[q.Name]:
			return nil, &SubjectError{q.Name, errors.New("name is taken")}
		case !strings.Contains(q.SQL, "$1"):
			return nil, &SubjectError{q.Name, errors.New("has no parameter $1: it would find everybody")}
		}
		seen[q.Name] = true
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &SubjectExporter{db, cfg}, nil
}

// SubjectManifest says what is in an export. It is its last file, manifest.json.
type SubjectManifest struct {
	Version  int           `json:"version"` // of this format: 1
	TenantID int64         `json:"tenantID"`
	Tenant   string        `json:"tenant"` // slug
	Subject  string        `json:"subject"`
	TakenAt  time.Time     `json:"takenAt"` // by the server's clock; all files are of this moment
	Files    []SubjectFile `json:"files"`
}

// SubjectFile is one query's rows.
type SubjectFile struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // in hex
}

// Rows returns how many rows there are in all files. 0: nothing was found.
func (m SubjectManifest) Rows() (n int64) {
	for _, f := range m.Files {
		n += f.Rows
	}
	return n
}

const manifestName = "manifest"

// Export writes a zip with what the queries find of the subject in the tenant's schema: a file for each, and manifest.json. subject is their
// parameter. They run in the tenant's scope, in one read-only transaction, so that they see one moment and change nothing. Rows are
// streamed. After an error dst has no end of a zip, and no program opens it. That the request is the person's is for the caller to know.
//
// The errors are [ErrInvalidSubject], a [SubjectError] of a query, and those of the database and of dst.
func (x *SubjectExporter) Export(ctx context.Context, t *tenancy.Tenant, subject string, dst io.Writer) (SubjectManifest, error) {
	m := SubjectManifest{Version: 1, TenantID: t.ID, Tenant: t.Slug, Subject: subject}
	if err := checkSubject(subject); err != nil {
		return SubjectManifest{}, err
	}
	ctx = tenancy.NewContext(ctx, t)
	archive := zip.NewWriter(dst)
	opts := schemactx.TxOptions{TxOptions: pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}}
	err := x.db.InTxOptions(ctx, opts, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "select now()").Scan(&m.TakenAt); err != nil {
			return err
		}
		m.TakenAt = m.TakenAt.UTC()
		for _, q := range x.cfg.Queries {
			file, err := x.export(ctx, tx, q, subject, archive)
			if err != nil {
				return &SubjectError{q.Name, err}
			}
			m.Files = append(m.Files, file)
		}
		return nil
	})
	if err == nil {
		err = writeManifest(archive, m)
	}
	if err != nil {
		return SubjectManifest{}, fmt.Errorf("export a subject of tenant %q: %w", t.Slug, err)
	}
	x.cfg.Logger.InfoContext(ctx, "subject exported", slog.String("tenant", t.Slug), slog.Int64("rows", m.Rows()))
	return m, nil
}
