package backup

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

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
	// SubjectCSV writes one CSV file for each query, with a header. NULL is an empty field, and an
	// empty text is "". It is the zero value.
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
// only what the tenant's own requests can read. The error is a [SubjectError] for an invalid query.
// An invalid statement is reported only when it runs.
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
			return nil, &SubjectError{q.Name, errors.New("name occurs twice")}
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

func checkSubject(subject string) error {
	if subject == "" || len(subject) > maxSubject || !utf8.ValidString(subject) || strings.ContainsRune(subject, 0) {
		return ErrInvalidSubject
	}
	return nil
}

// export writes the rows of one query. Values are in PostgreSQL's text format.
func (x *SubjectExporter) export(
	ctx context.Context, tx pgx.Tx, q SubjectQuery, subject string, archive *zip.Writer,
) (SubjectFile, error) {
	file := SubjectFile{Name: q.Name + ".csv"}
	if x.cfg.Format == SubjectJSON {
		file.Name = q.Name + ".json"
	}
	rows, err := tx.Query(ctx, q.SQL, pgx.QueryResultFormats{pgx.TextFormatCode}, subject)
	if err != nil {
		return file, err
	}
	defer rows.Close()
	entry, err := archive.Create(file.Name)
	if err != nil {
		return file, err
	}
	meter := newHashWriter(entry)
	out := bufio.NewWriter(meter)
	if x.cfg.Format == SubjectJSON {
		err = writeJSON(out, rows, &file.Rows)
	} else {
		err = writeCSV(out, rows, &file.Rows)
	}
	if err == nil {
		err = rows.Err()
	}
	if err == nil {
		err = out.Flush()
	}
	file.SHA256 = meter.sum().sha256
	return file, err
}

func writeCSV(out *bufio.Writer, rows pgx.Rows, n *int64) error {
	var line []byte
	for i, f := range rows.FieldDescriptions() {
		line = appendField(comma(line, i), value{text: f.Name})
	}
	_, err := out.Write(append(line, '\n'))
	for err == nil && rows.Next() {
		line = line[:0]
		for i, raw := range rows.RawValues() {
			line = appendField(comma(line, i), value{text: string(raw), null: raw == nil})
		}
		_, err = out.Write(append(line, '\n'))
		*n++
	}
	return err
}

func comma(line []byte, column int) []byte {
	if column > 0 {
		return append(line, ',')
	}
	return line
}

func writeJSON(out *bufio.Writer, rows pgx.Rows, n *int64) error {
	fields := rows.FieldDescriptions()
	separator := "[\n"
	var err error
	for err == nil && rows.Next() {
		object := bytes.NewBufferString(separator + "{")
		for i, raw := range rows.RawValues() {
			if i > 0 {
				object.WriteByte(',')
			}
			object.Write(jsonText(fields[i].Name))
			object.WriteByte(':')
			object.Write(jsonValue(&fields[i], raw))
		}
		object.WriteByte('}')
		_, err = out.Write(object.Bytes())
		separator = ",\n"
		*n++
	}
	if err == nil && *n == 0 {
		_, err = out.WriteString("[")
	}
	if err == nil {
		_, err = out.WriteString("\n]\n")
	}
	return err
}

// jsonValue returns a value as JSON. NaN and infinities, which are not JSON numbers, become
// strings.
func jsonValue(f *pgconn.FieldDescription, raw []byte) []byte {
	if raw == nil {
		return []byte("null")
	}
	switch f.DataTypeOID {
	case pgtype.BoolOID:
		if raw[0] == 't' {
			return []byte("true")
		}
		return []byte("false")
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID,
		pgtype.JSONOID, pgtype.JSONBOID:
		if json.Valid(raw) {
			return raw
		}
	}
	return jsonText(string(raw))
}

func jsonText(text string) []byte {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string can be marshalled
	}
	return encoded
}

func writeManifest(archive *zip.Writer, m SubjectManifest) error {
	entry, err := archive.Create(manifestName + ".json")
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	if _, err := io.WriteString(entry, string(text)+"\n"); err != nil {
		return err
	}
	return archive.Close()
}
