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

// SubjectQuery selects the data of one person in a tenant's schema.
type SubjectQuery struct {
	Name string // name of the file: [a-z0-9_-]{1,60}
	SQL  string // one query with one parameter: "select * from students where email = $1 order by id"
}

// SubjectFormat is the format of the exported rows.
type SubjectFormat uint8

const (
	// SubjectCSV writes one CSV for each query, with a header. Null is an empty field, an empty text
	// is "". It is the zero value.
	SubjectCSV SubjectFormat = iota

	// SubjectJSON writes an array of objects for each query. Numbers, booleans, JSON and null are JSON
	// values; all other values are PostgreSQL's text.
	SubjectJSON
)

// SubjectConfig configures a [SubjectExporter].
type SubjectConfig struct {
	// Queries select the data of a person. They run in this order. At least one is required.
	Queries []SubjectQuery

	// Format is the format of the files. Default: [SubjectCSV].
	Format SubjectFormat

	// Logger receives a record for each export, without the subject. Default: records are discarded.
	Logger *slog.Logger
}

// SubjectExporter exports the data of one person, to answer a request under article 15 or 20 of the
// GDPR for example. It is safe for concurrent use.
type SubjectExporter struct {
	db  *schemactx.DB
	cfg SubjectConfig
}

// SubjectError is returned for a query of a [SubjectConfig] that is invalid or failed.
type SubjectError struct {
	Query string // name of the query, as given
	Err   error
}

// Error returns the query's name and the cause.
func (e *SubjectError) Error() string { return fmt.Sprintf("subject query %q: %v", e.Query, e.Err) }

// Unwrap returns the cause.
func (e *SubjectError) Unwrap() error { return e.Err }

// ErrInvalidSubject is returned for a subject that is empty, longer than 1000 bytes, or not valid
// as text in PostgreSQL.
var ErrInvalidSubject = errors.New("subject is not a text of 1 to 1000 bytes")

// maxSubject bounds a subject, in bytes.
const maxSubject = 1000

var subjectName = regexp.MustCompile(`^[a-z0-9_-]{1,60}$`)

// NewSubjectExporter validates the configuration. db is a scoped handle, so that a query can read
// only what the tenant's own requests can read. The error is a [SubjectError]. An invalid statement
// is reported only when it runs.
func NewSubjectExporter(db *schemactx.DB, cfg SubjectConfig) (*SubjectExporter, error) {
	switch {
	case db == nil:
		return nil, errors.New("backup: db of NewSubjectExporter is nil")
	case len(cfg.Queries) == 0:
		return nil, errors.New("backup: SubjectConfig.Queries is empty")
	case cfg.Format > SubjectJSON:
		return nil, fmt.Errorf("backup: SubjectFormat %d does not exist", cfg.Format)
	}
	seen := map[string]bool{manifestName: true}
	for _, q := range cfg.Queries {
		switch {
		case !subjectName.MatchString(q.Name):
			return nil, &SubjectError{q.Name, errors.New("name does not match " + subjectName.String())}
		case seen[q.Name]:
			return nil, &SubjectError{q.Name, errors.New("name is taken")}
		case !strings.Contains(q.SQL, "$1"):
			return nil, &SubjectError{q.Name, errors.New("has no parameter $1: it would select the data of all persons")}
		}
		seen[q.Name] = true
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &SubjectExporter{db, cfg}, nil
}

// SubjectManifest lists the contents of an export. It is the export's last file, manifest.json.
type SubjectManifest struct {
	Version  int           `json:"version"` // of this format: 1
	TenantID int64         `json:"tenantID"`
	Tenant   string        `json:"tenant"` // slug
	Subject  string        `json:"subject"`
	TakenAt  time.Time     `json:"takenAt"` // time of the snapshot of all files, by the server's clock
	Files    []SubjectFile `json:"files"`
}

// SubjectFile describes the file of one query.
type SubjectFile struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"` // in hexadecimal
}

// Rows returns the number of rows in all files. Zero means that nothing was found.
func (m SubjectManifest) Rows() (n int64) {
	for _, f := range m.Files {
		n += f.Rows
	}
	return n
}

const manifestName = "manifest"

// Export writes a zip file with the results of the queries in the tenant's schema: one file for
// each query, and manifest.json. subject is the parameter of the queries. They run in the tenant's
// scope, in one read-only transaction with one snapshot. Rows are streamed. After an error the zip
// file is incomplete and cannot be opened. The caller must check that the request comes from that
// person.
//
// The errors are [ErrInvalidSubject], a [SubjectError] of a query, and errors of the database and
// of dst.
func (x *SubjectExporter) Export(
	ctx context.Context, t *tenancy.Tenant, subject string, dst io.Writer,
) (SubjectManifest, error) {
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
		return SubjectManifest{}, fmt.Errorf("export subject of tenant %q: %w", t.Slug, err)
	}
	x.cfg.Logger.InfoContext(ctx, "subject exported", slog.String("tenant", t.Slug), slog.Int64("rows", m.Rows()))
	return m, nil
}
