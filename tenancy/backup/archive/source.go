package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// ageIntro is what an encrypted archive begins with.
const ageIntro = "age-encryption.org/v1\n"

// maxAgeHeader bounds what is read, and kept in memory, before the first byte is decrypted.
const maxAgeHeader = 1 << 20

// maxPadding is how many zeros may follow the end marks: other programs fill up records.
const maxPadding = 64 << 10

// source is the tar stream, decrypted, and knows whose fault an error is.
type source struct {
	raw    *raw
	plain  io.Reader
	sealed bool
	offset int64 // of the plain stream
	err    error // the first of plain but io.EOF
}

// raw is the input. It tells the errors of the storage from those of what is stored.
type raw struct {
	r      io.Reader
	budget int64 // while it is not negative: bytes until an error
	err    error // the first but io.EOF
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

// open finds out whether src is encrypted.
func open(src io.Reader, identities []age.Identity) (*source, error) {
	s := &source{raw: &raw{r: src, budget: maxAgeHeader}}
	in := bufio.NewReaderSize(s.raw, 64<<10)
	intro, err := in.Peek(len(ageIntro))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	s.plain = in
	if string(intro) == ageIntro {
		s.sealed = true
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
	var nobody *age.NoIdentityMatchError
	switch {
	case errors.As(err, &nobody):
		return nil, fmt.Errorf("%w: none of %d identities opens it", ErrEncrypted, len(identities))
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

// fault makes the error of reading an entry: of the storage, of an archive that was cut off, or of what else is wrong with it.
func (s *source) fault(entry string, err error) error {
	switch {
	case s.raw.err != nil:
		return fmt.Errorf("read archive: %w", s.raw.err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: nothing follows in or after entry %q", ErrTruncated, clip(entry))
	case s.sealed && s.err != nil: // age cannot tell which of the two
		return &FormatError{Entry: entry, Reason: "does not decrypt: the archive was altered or cut off", Err: s.err}
	}
	return &FormatError{Entry: entry, Reason: "or what follows it is no tar stream", Err: err}
}

// end reads what comes after the last entry, which the tar reader has looked for: its end marks must have been there
// since offset, and only zeros may follow.
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
