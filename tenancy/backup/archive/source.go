package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// ageIntro is the beginning of an encrypted archive.
const ageIntro = "age-encryption.org/v1\n"

// maxAgeHeader bounds the bytes that are read, and held in memory, before the first byte is
// decrypted.
const maxAgeHeader = 1 << 20

// maxPadding bounds the zeros after the end marks: tar programs pad records.
const maxPadding = 64 << 10

// source is the decrypted tar stream. It distinguishes errors of the storage from errors of the
// archive.
type source struct {
	raw       *raw
	plain     io.Reader
	encrypted bool
	offset    int64 // in the plain stream
	err       error // first error of plain except io.EOF
}

// raw is the input. It records errors of the storage.
type raw struct {
	r      io.Reader
	budget int64 // number of bytes until errBudget; negative: unlimited
	err    error // first error except io.EOF
}

var errBudget = errors.New("header of the encryption is too large")

func (r *raw) Read(p []byte) (int, error) {
	if r.budget == 0 {
		return 0, errBudget
	}
	if r.budget > 0 && int64(len(p)) > r.budget {
		p = p[:r.budget]
	}
	n, err := r.r.Read(p)
	if r.budget > 0 {
		r.budget -= int64(n)
	}
	if err != nil && err != io.EOF && r.err == nil {
		r.err = err
	}
	return n, err
}

// open decrypts src if it is encrypted.
func open(src io.Reader, identities []age.Identity) (*source, error) {
	s := &source{raw: &raw{r: src, budget: maxAgeHeader}}
	in := bufio.NewReaderSize(s.raw, 64<<10)
	intro, err := in.Peek(len(ageIntro))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	s.plain = in
	if string(intro) == ageIntro {
		s.encrypted = true
		if s.plain, err = decrypt(in, s.raw, identities); err != nil {
			return nil, err
		}
	}
	s.raw.budget = -1
	return s, nil
}

func decrypt(in io.Reader, raw *raw, identities []age.Identity) (io.Reader, error) {
	if len(identities) == 0 {
		return nil, fmt.Errorf("%w: no identities are given", ErrEncrypted)
	}
	plain, err := age.Decrypt(in, identities...)
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &noMatch):
		return nil, fmt.Errorf("%w: none of %d identities decrypts it", ErrEncrypted, len(identities))
	case raw.err != nil:
		return nil, fmt.Errorf("read archive: %w", raw.err)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return nil, ErrTruncated
	case err != nil:
		return nil, &FormatError{Reason: "has no readable age header", Err: err}
	}
	return plain, nil
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.plain.Read(p)
	s.offset += int64(n)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

// fault returns the error for a failed read of an entry: an error of the storage, [ErrTruncated],
// or a [FormatError].
func (s *source) fault(entry string, err error) error {
	switch {
	case s.raw.err != nil:
		return fmt.Errorf("read archive: %w", s.raw.err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends in or after entry %q", ErrTruncated, clip(entry))
	case s.encrypted && s.err != nil: // age does not distinguish the two cases
		return &FormatError{Entry: entry, Reason: "cannot be decrypted: the archive was altered or truncated", Err: s.err}
	}
	return &FormatError{Entry: entry, Reason: "or what follows it is not a tar stream", Err: err}
}

// end reads the rest of the stream after the last entry. The end marks must follow at offset; the
// tar reader has already read them. Only zeros may follow them.
func (s *source) end(entry string, offset int64) error {
	const marks = 2 * 512
	if s.offset-offset < marks {
		return s.fault(entry, io.ErrUnexpectedEOF)
	}
	buf := make([]byte, 4<<10)
	for padding := 0; ; {
		n, err := s.Read(buf)
		for _, c := range buf[:n] {
			if c != 0 {
				return &FormatError{Reason: "has data after its end"}
			}
		}
		if padding += n; padding > maxPadding {
			return &FormatError{Reason: "has data after its end"}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.fault(entry, err)
		}
	}
}
