package erp

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
)

// maxImport is the size limit of a file to import, in bytes.
const maxImport = 10 << 20

// importProblem is a [tenanthttp.Problem] with errors of rows instead of fields.
type importProblem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	ImportReport
}

// serveImport answers 201 with the report if the students were created, 200 if a dry run found no
// error, and 422 with the report if there are errors.
func (m *Module) serveImport(w http.ResponseWriter, r *http.Request) error {
	if _, err := mayChange(r.Context(), studentEntity); err != nil {
		return err
	}
	p := readParams(r)
	options := ImportOptions{DryRun: p.flag("dry_run")}
	if err := p.err(); err != nil {
		return err
	}
	if !isCSV(r.Header.Get("Content-Type")) {
		return &bodyError{status: http.StatusUnsupportedMediaType, detail: "The body must be text/csv in UTF-8."}
	}
	report, err := NewStudents(m.db).Import(r.Context(), http.MaxBytesReader(w, r.Body, maxImport), options)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &bodyError{status: http.StatusRequestEntityTooLarge, detail: "The file is longer than 10 MiB."}
	case err != nil:
		return err
	case len(report.Errors) > 0:
		respondImport(w, report)
	case report.DryRun:
		writeJSON(w, http.StatusOK, report)
	default:
		writeJSON(w, http.StatusCreated, report)
	}
	return nil
}

func isCSV(contentType string) bool {
	mediaType, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	return err == nil && mediaType == "text/csv" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

func respondImport(w http.ResponseWriter, report ImportReport) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = json.NewEncoder(w).Encode(importProblem{ // an error means that the client is gone
		Title: "Invalid rows", Status: http.StatusUnprocessableEntity, Detail: "Nothing was imported; errors says why.",
		ImportReport: report,
	})
}
