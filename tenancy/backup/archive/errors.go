package archive

import (
	"errors"
	"fmt"
	"io"
	"strconv"
)

var (
	// ErrTruncated is returned by a [Reader] for an archive that ends before its end: its manifest, its signature or the
	// end marks of the tar format lack.
	ErrTruncated = errors.New("archive is truncated")

	// ErrVersion is returned by [NewReader] for an archive of a format that this version of the package does not read.
	ErrVersion = errors.New("unknown version of the archive format")

	// ErrEncrypted is returned by [NewReader] for an encrypted archive where there is no identity that opens it.
	ErrEncrypted = errors.New("archive is encrypted to somebody else")

	// ErrSignature is returned by a [Reader] for an archive whose signature is wrong, or where there are trusted keys, lacks
	// or is of a key that is none of them.
	ErrSignature = errors.New("archive is not signed by a trusted key")

	// ErrChecksum is returned by a [Reader], in a [FormatError], where what was read is not what the manifest says.
	ErrChecksum = errors.New("checksum does not match")

	// ErrLimit is returned, in a [FormatError], for what goes over the [Limits].
	ErrLimit = errors.New("over the limit")

	// ErrOrder is returned by a [Writer] for a table that the header does not have next, and for a call in the wrong order.
	ErrOrder = errors.New("not in the order of the header")
)

// FormatError is returned for what is no archive of ours, and says what is wrong with it.
type FormatError struct {
	Entry  string // the entry of the tar stream, as far as it is known; it may hold anything
	Reason string // as the end of a sentence: "is not a regular file"
	Err    error  // ErrChecksum, ErrLimit, what a decoder said, or nil
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

// Unwrap returns Err, but for an io.EOF that a decoder met: of a [Reader] that means the end of a good archive.
func (e *FormatError) Unwrap() error {
	if errors.Is(e.Err, io.EOF) {
		return nil
	}
	return e.Err
}

// noEOF hides an io.EOF in an error: whoever asks for it with errors.Is must find it at the end of a good archive alone, and not in what a
// decoder or a storage says of a bad one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %v", ErrTruncated, err) //nolint:errorlint // see above
	}
	return err
}

// clip keeps what an archive says short enough for a line of a log.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
