package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Kind is what a migration consists of.
type Kind string

const (
	// KindSQL is a file of SQL statements.
	KindSQL Kind = "sql"

	// KindGo is a function.
	KindGo Kind = "go"
)

// Set is which schemas a migration is for.
type Set string

const (
	// SharedSet is what the schema public gets.
	SharedSet Set = "shared"

	// TenantSet is what every other schema gets.
	TenantSet Set = "tenant"
)

// Migration describes one migration of a [Runner].
type Migration struct {
	Set     Set    `json:"set"`
	Source  string `json:"source"`
	Version int64  `json:"version"` // as in the version table: with the source's base
	Name    string `json:"name"`    // without version and ending
	File    string `json:"file"`    // for a function: what its file would be called
	Kind    Kind   `json:"kind"`

	// Transaction is whether Up runs in a transaction.
	Transaction bool `json:"transaction"`

	// Checksum is the SHA-256, in hex, of what Up does: the texts that goose would send for the Up
	// section, with line ends unified. What stands between them, the Down section and the name can be
	// edited without changing it. Empty for a function.
	Checksum string `json:"checksum,omitempty"`
}

// statement is one SQL statement of a migration.
type statement struct {
	sql    string
	line   int // 1-based, where it begins
	number int // 1-based, in its section

	shared string // why only the shared set may have it, and what to do instead; empty: both may

	concurrent *concurrent // CONCURRENTLY, in a migration without a transaction; nil: none

	prologue     bool   // a SET TRANSACTION before any query: it goes right behind BEGIN
	events       bool   // may make an event trigger
	keepsSession bool   // leaves nothing on its session
	strays       bool   // may have changed settings that the next migration of the transaction relies on
	reset        string // undoes its SET LOCAL; empty: none
}

// migration is one file, or one function.
type migration struct {
	set     Set
	source  string
	origin  *origin // what its source says of all of its migrations
	file    string
	name    string
	version int64
	kind    Kind

	noTx, noTxDown bool // up and down; the same for a file
	hasDown        bool // a Down section, even an empty one, or a function

	up, down             []statement
	upTexts              []string // the texts of the Up section as goose takes it apart
	goUp, goDown         func(context.Context, pgx.Tx) error
	goUpNoTx, goDownNoTx func(context.Context, *pgx.Conn) error

	checksum string // empty for a function
}

// edited reports whether the file is another one than that of which sum is the checksum, or its
// beginning. Nothing is known of what was applied without one, by goose or as a function.
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
