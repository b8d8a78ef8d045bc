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

// DefaultLevel is the compression that [WriterOptions] have: that of the zstd command.
const DefaultLevel = 3

// WriterOptions say how an archive is written. The zero value writes one that anybody can read.
type WriterOptions struct {
	// Recipients are whom the archive is encrypted to, as a whole. Default: it is not encrypted.
	Recipients []age.Recipient

	// SigningKey signs the manifest: an ed25519.PrivateKey, or a signer with a public key of Ed25519. Default: not signed.
	SigningKey crypto.Signer

	// Level is the level of compression, from 1 to 19, in the sense of the zstd command: the encoder has four, and takes the
	// nearest. Default: [DefaultLevel].
	Level int

	// PartSize is how many bytes of CSV a part holds, from 64 KiB to [MaxPartSize]. A few parts are in memory at a
	// time. Default: [DefaultPartSize].
	PartSize int

	// Workers is how many parts are compressed at once. Default: half of the processors that Go uses, at least one and at most four: the
	// server that sends the rows has work to do too.
	Workers int
}

// Validate returns what [NewWriter] would refuse of the options.
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
		return o, fmt.Errorf("archive: WriterOptions.PartSize %d is not between %d and %d", o.PartSize, minPartSize, MaxPartSize)
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

// ReaderOptions say what is accepted. The zero value reads what is neither encrypted nor signed, and what is signed by anybody.
type ReaderOptions struct {
	// Identities open encrypted archives: one of them must be of a recipient. An archive that is not encrypted is read without.
	Identities []age.Identity

	// TrustedKeys are those of which one must have signed the archive. Default: any may have, or none.
	TrustedKeys []ed25519.PublicKey

	// Limits bound what is read.
	Limits Limits
}

// Validate returns what [NewReader] would refuse of the options.
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
