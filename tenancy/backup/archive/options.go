package archive

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"

	"filippo.io/age"
)

// DefaultLevel is the default compression level, that of the zstd command.
const DefaultLevel = 3

// WriterOptions are the options of a [Writer]. The zero value writes an archive that is neither
// encrypted nor signed.
type WriterOptions struct {
	// Recipients are the public keys for which the whole archive is encrypted. Default: none, it is
	// not encrypted.
	Recipients []age.Recipient

	// SigningKey signs the manifest: an ed25519.PrivateKey, or a signer with an Ed25519 public key.
	// Default: nil, it is not signed.
	SigningKey crypto.Signer

	// Level is the compression level of the zstd command, from 1 to 19. The encoder has four levels
	// and uses the nearest. Default: [DefaultLevel].
	Level int

	// PartSize is the number of bytes of CSV in a part, from 64 KiB to [MaxPartSize]. A few parts are
	// in memory at a time. Default: [DefaultPartSize].
	PartSize int

	// Workers is the number of parts that are compressed concurrently. Default: half of GOMAXPROCS, at
	// least one and at most four, because the server that sends the rows may share the processors.
	Workers int
}

// Validate returns the error that [NewWriter] returns for the options.
func (o WriterOptions) Validate() error {
	_, err := o.withDefaults()
	return err
}

func (o WriterOptions) withDefaults() (WriterOptions, error) {
	o.Level = cmp.Or(o.Level, DefaultLevel)
	o.PartSize = cmp.Or(o.PartSize, DefaultPartSize)
	o.Workers = cmp.Or(o.Workers, min(max(runtime.GOMAXPROCS(0)/2, 1), 4))
	switch {
	case o.Level < 1 || o.Level > 19:
		return o, fmt.Errorf("archive: WriterOptions.Level %d is not between 1 and 19", o.Level)
	case o.PartSize < minPartSize || o.PartSize > MaxPartSize:
		return o, fmt.Errorf("archive: WriterOptions.PartSize %d is not between %d and %d",
			o.PartSize, minPartSize, MaxPartSize)
	case o.Workers < 1:
		return o, fmt.Errorf("archive: WriterOptions.Workers %d is negative", o.Workers)
	}
	for _, r := range o.Recipients {
		if r == nil {
			return o, errors.New("archive: one of WriterOptions.Recipients is nil")
		}
	}
	if o.SigningKey != nil {
		if _, err := signer(o.SigningKey); err != nil {
			return o, err
		}
	}
	return o, nil
}

// ReaderOptions are the options of a [Reader]. The zero value reads archives that are not
// encrypted, whether they are signed or not.
type ReaderOptions struct {
	// Identities are private keys; one of them must belong to a recipient of an encrypted archive.
	// Archives that are not encrypted need none.
	Identities []age.Identity

	// TrustedKeys are the public keys of accepted signers: one of them must have signed the archive.
	// Default: none, any signature or none is accepted.
	TrustedKeys []ed25519.PublicKey

	// Limits bounds what is read.
	Limits Limits
}

// Validate returns the error that [NewReader] returns for the options.
func (o ReaderOptions) Validate() error {
	_, err := o.withDefaults()
	return err
}

func (o ReaderOptions) withDefaults() (ReaderOptions, error) {
	for _, key := range o.TrustedKeys {
		if len(key) != ed25519.PublicKeySize {
			return o, fmt.Errorf("archive: one of ReaderOptions.TrustedKeys has %d bytes", len(key))
		}
	}
	var err error
	o.Limits, err = o.Limits.withDefaults()
	return o, err
}
