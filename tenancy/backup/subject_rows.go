package backup

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

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

// jsonValue returns a value as JSON. A numeric NaN, which is not a JSON number, becomes a string.
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
