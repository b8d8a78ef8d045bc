package archive

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

var (
	// ErrTruncated is returned by a [Reader] for an incomplete archive: its manifest, its signature or
	// the end marks of the tar format are missing.
	ErrTruncated = errors.New("archive is truncated")

	// ErrVersion is returned by [NewReader] for a version of the format that this version of the
	// package does not read.
	ErrVersion = errors.New("unknown version of the archive format")

	// ErrEncrypted is returned by [NewReader] for an encrypted archive that none of the identities
	// decrypts.
	ErrEncrypted = errors.New("archive is encrypted for other keys")

	// ErrSignature is returned by a [Reader] if the archive's signature is invalid or, with trusted
	// keys, if it is missing or made with another key.
	ErrSignature = errors.New("archive is not signed by a trusted key")

	// ErrChecksum is returned by a [Reader], in a [FormatError], if the content differs from the
	// manifest.
	ErrChecksum = errors.New("checksum does not match")

	// ErrLimit is returned, in a [FormatError], for content that exceeds the [Limits].
	ErrLimit = errors.New("over the limit")

	// ErrOrder is returned by a [Writer] for a table that is not the next one of the header, and for a
	// call in the wrong order.
	ErrOrder = errors.New("not in the order of the header")
)

// FormatError is returned for input that is not a valid archive.
type FormatError struct {
	Entry  string // name of the tar entry, if known; it can contain any text
	Reason string // end of a sentence: "is not a regular file"
	Err    error  // ErrChecksum, ErrLimit, the error of a decoder, or nil
}

func (e *FormatError) Error() string {
	text := "archive: " + e.Reason
	if e.Entry != "" {
		text = "archive: entry " + strconv.Quote(clip(e.Entry)) + " " + e.Reason
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err unless it is the io.EOF of a decoder: from a [Reader], io.EOF means the end of
// a valid archive.
func (e *FormatError) Unwrap() error {
	if errors.Is(e.Err, io.EOF) {
		return nil
	}
	return e.Err
}

// noEOF hides an io.EOF in an error of a decoder or of the storage: errors.Is must find io.EOF only
// at the end of a valid archive.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %v", ErrTruncated, err) //nolint:errorlint // must not wrap io.EOF
	}
	return err
}

// clip shortens a text of an archive for a line of a log.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
