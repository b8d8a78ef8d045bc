package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Kind is the kind of a migration: SQL or Go.
type Kind string

const (
	// KindSQL is a file of SQL statements.
	KindSQL Kind = "sql"

	// KindGo is a Go function.
	KindGo Kind = "go"
)

// Set says which schemas a migration is for.
type Set string

const (
	// SharedSet are the migrations of the shared schema, [Config].SharedSchema.
	SharedSet Set = "shared"

	// TenantSet are the migrations of every other schema.
	TenantSet Set = "tenant"
)

// Migration describes one migration of a [Runner].
type Migration struct {
	Set     Set    `json:"set"`
	Source  string `json:"source"`
	Version int64  `json:"version"` // as in the version table: with the source's base
	Name    string `json:"name"`    // without the version and the extension
	File    string `json:"file"`    // for a function: the name that a file of it would have
	Kind    Kind   `json:"kind"`

	// Transaction reports whether Up runs in a transaction.
	Transaction bool `json:"transaction"`

	// Checksum is the SHA-256, in hex, of what Up does: the texts that goose would send for the Up
	// section, with \n at the ends of lines. Edits between these texts, in the Down section or of the
	// name do not change it. It is empty for a function.
	Checksum string `json:"checksum,omitempty"`
}

// statement is one SQL statement of a migration.
type statement struct {
	sql    string
	line   int // 1-based, where it begins
	number int // 1-based, in its section

	shared string // why only the shared set may have it, and what to do instead; empty: both sets may

	concurrent *concurrent // the CONCURRENTLY of a migration without a transaction; nil: none

	prologue              bool // a SET TRANSACTION before any query: it is sent directly after BEGIN
	mayCreateEventTrigger bool
	keepsSession          bool   // leaves no session state
	changesSettings       bool   // may change settings that the next migration of the transaction relies on
	reset                 string // the statement that resets its SET; empty: none
}

// migration is one file or one function.
type migration struct {
	set     Set
	source  string
	origin  *origin // what its source declares for all of its migrations
	file    string
	name    string
	version int64
	kind    Kind

	noTx, noTxDown bool // of Up and Down; they are equal for a file
	hasDown        bool // a Down section, even an empty one, or a function

	up, down             []statement
	upTexts              []string // the texts that goose sends for the Up section
	goUp, goDown         func(context.Context, pgx.Tx) error
	goUpNoTx, goDownNoTx func(context.Context, *pgx.Conn) error

	checksum string // empty for a function
}

// edited reports whether the file has changed since its checksum was sum. sum may be the beginning
// of a checksum. It is empty for a function and for what goose has applied, of which nothing is
// known.
func (m *migration) edited(sum string) bool {
	return sum != "" && m.checksum != "" && (len(sum) < noteLen || !strings.HasPrefix(m.checksum, sum))
}

func (m *migration) describe() Migration {
	return Migration{
		Set: m.set, Source: m.source, Version: m.version, Name: m.name, File: m.file, Kind: m.kind,
		Transaction: !m.noTx, Checksum: m.checksum,
	}
}

// sum returns the checksum of the Up section.
func (m *migration) sum() string {
	h := sha256.New()
	if m.noTx {
		io.WriteString(h, "NO TRANSACTION\x00") //nolint:errcheck // a hash never fails
	}
	for _, text := range m.upTexts {
		io.WriteString(h, strings.ReplaceAll(text, "\r\n", "\n")) //nolint:errcheck // a hash never fails
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}
