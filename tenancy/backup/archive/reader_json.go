package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

func (r *Reader) readHeader() error {
	text, err := r.content(headerEntry, nil, r.opts.Limits.HeaderBytes)
	if err != nil {
		return err
	}
	var format struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &format); err != nil {
		return &FormatError{Entry: headerEntry, Reason: "is not readable", Err: err}
	}
	if format.Version < 1 || format.Version > Version {
		return fmt.Errorf("%w: %d is not between 1 and %d", ErrVersion, format.Version, Version)
	}
	if err := strict(text, &r.header); err != nil {
		return &FormatError{Entry: headerEntry, Reason: "is not readable", Err: err}
	}
	if err := r.header.check(r.opts.Limits); err != nil {
		return &FormatError{Entry: headerEntry, Reason: "is invalid", Err: err}
	}
	r.headerSum = sum256(text)
	return nil
}

// finish reads what follows the tables and compares it with what was read.
func (r *Reader) finish() error {
	text, err := r.content(manifestEntry, nil, r.opts.Limits.HeaderBytes)
	if err != nil {
		return err
	}
	var m Manifest
	if err := strict(text, &m); err != nil {
		return &FormatError{Entry: manifestEntry, Reason: "is not readable", Err: err}
	}
	if err := r.compare(m); err != nil {
		return err
	}
	if err := r.verify(text); err != nil {
		return err
	}
	if r.entry != nil {
		return &FormatError{Entry: r.entry.Name, Reason: "follows the end of the archive"}
	}
	if err := r.src.end(r.last, r.lastEnd); err != nil {
		return err
	}
	r.manifest = m
	return nil
}

// compare compares the manifest with what was read.
func (r *Reader) compare(m Manifest) error {
	switch {
	case m.Version != r.header.Version:
		return fmt.Errorf("%w: the manifest has version %d, the header %d", ErrVersion, m.Version, r.header.Version)
	case m.HeaderSHA256 != r.headerSum:
		return &FormatError{Entry: headerEntry, Reason: "was altered", Err: ErrChecksum}
	case len(m.Tables) != len(r.sums):
		reason := fmt.Sprintf("has %d tables of %d", len(m.Tables), len(r.sums))
		return &FormatError{Entry: manifestEntry, Reason: reason, Err: ErrChecksum}
	}
	for i, want := range m.Tables {
		have := r.sums[i]
		have.Rows = want.Rows // see CheckRows
		if have != want || want.Rows < 0 {
			return &FormatError{Entry: tableDir(have.Name), Reason: "was altered", Err: ErrChecksum}
		}
	}
	return nil
}

// CheckRows returns a [FormatError] if the number of rows in a table's CSV differs from the
// manifest. It is for callers that do not load the rows and so do not count them. Call it after
// Next has returned io.EOF.
func (r *Reader) CheckRows() error {
	for i, want := range r.manifest.Tables {
		if have := r.sums[i]; have.Rows != want.Rows {
			reason := fmt.Sprintf("has %d rows, and %d in the manifest", have.Rows, want.Rows)
			return &FormatError{Entry: tableDir(have.Name), Reason: reason, Err: ErrChecksum}
		}
	}
	return nil
}

func (r *Reader) verify(manifest []byte) error {
	if !r.at(signatureEntry) {
		if len(r.opts.TrustedKeys) > 0 {
			return fmt.Errorf("%w: it has no signature", ErrSignature)
		}
		return nil
	}
	const most = 4 << 10
	text, err := r.content(signatureEntry, nil, most)
	if err != nil {
		return err
	}
	var s signature
	if err := strict(text, &s); err != nil {
		return &FormatError{Entry: signatureEntry, Reason: "is not readable", Err: errors.Join(ErrSignature, err)}
	}
	r.signedBy, err = s.verify(manifest, r.opts.TrustedKeys)
	return err
}

// strict decodes one JSON value and refuses fields that v does not have: a format with more fields
// has a newer version.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data follows the JSON value")
	}
	return nil
}
