package archive

import (
	"encoding/hex"
	"hash"
)

// Manifest is the last entry of an archive, or the last before the signature. It lists what was
// written.
type Manifest struct {
	Version      int        `json:"version"`      // of the format
	HeaderSHA256 string     `json:"headerSHA256"` // of the bytes of header.json, in hexadecimal
	Tables       []TableSum `json:"tables"`       // in the order of the header
}

// TableSum describes the contents of one table.
type TableSum struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`   // as COPY counted them
	Bytes  int64  `json:"bytes"`  // of the CSV including its header line
	Stored int64  `json:"stored"` // bytes of its compressed parts
	Parts  int    `json:"parts"`
	SHA256 string `json:"sha256"` // of the CSV, in hexadecimal
}

// Rows returns the number of rows in all tables.
func (m Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

// Bytes returns the size of the CSV of all tables.
func (m Manifest) Bytes() (n int64) {
	for _, t := range m.Tables {
		n += t.Bytes
	}
	return n
}

// Table returns the sum of a table, and whether the archive contains the table.
func (m Manifest) Table(name string) (TableSum, bool) {
	for _, t := range m.Tables {
		if t.Name == name {
			return t, true
		}
	}
	return TableSum{}, false
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
