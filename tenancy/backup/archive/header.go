package archive

import (
	"encoding/json"
	"time"
)

// Version is the newest version of the format that this package writes and reads. An archive has
// the oldest version that has all of its fields, so that older programs can read it: 2 with
// Partitions or LeftOut, else 1.
const Version = 2

// Header is the first entry of an archive: what is in it, and where it came from.
//
// It is data to be compared with what the migrations make. No name and no type in it is to become part of an SQL statement.
type Header struct {
	Version  int       `json:"version"`  // of the format; NewWriter sets it
	PartSize int       `json:"partSize"` // bytes of CSV in each part of a table but the last; NewWriter sets it
	Tenant   Tenant    `json:"tenant"`
	Schema   string    `json:"schema"`   // the schema's name at the time
	TakenAt  time.Time `json:"takenAt"`  // when the snapshot was taken, by the server's clock
	Snapshot string    `json:"snapshot"` // pg_current_snapshot()

	PostgreSQL string `json:"postgresql"` // the server's version: "15.18"
	Library    string `json:"library"`    // the version of the module that made the archive, or "(devel)"
	Encoding   string `json:"encoding"`   // of the CSV: "UTF8"

	Migrations  []Migration `json:"migrations"`            // applied to the schema, by version
	Fingerprint string      `json:"fingerprint"`           // drift.Structure.Hash of the schema
	Differences []string    `json:"differences,omitempty"` // from what the migrations make, where that was allowed

	Tables            []Table            `json:"tables"`
	Sequences         []Sequence         `json:"sequences"`
	MaterializedViews []MaterializedView `json:"materializedViews,omitempty"`

	// Partitions are those that the migrations have not made, each after its parent. Since version
	// 2.
	Partitions []Partition `json:"partitions,omitempty"`

	// LeftOut are the tables of migrate.Config.ExtraTables that the schema had. The archive has
	// neither them nor their rows. Since version 2.
	LeftOut []string `json:"leftOut,omitempty"`

	// LargeObjects says what becomes of large objects. They belong to a database and no schema: "none", as a schema with
	// columns that refer to them is not backed up.
	LargeObjects string `json:"largeObjects"`
}

// Tenant is the tenant as the registry had it.
type Tenant struct {
	ID        int64            `json:"id"`
	Slug      string           `json:"slug"`
	Name      string           `json:"name"`
	Status    string           `json:"status"`
	Reason    string           `json:"reason,omitempty"`
	Plan      string           `json:"plan,omitempty"`
	Limits    map[string]int64 `json:"limits,omitempty"`
	Placement string           `json:"placement,omitempty"`
	Metadata  json.RawMessage  `json:"metadata,omitempty"`
	Domains   []Domain         `json:"domains,omitempty"`
	CreatedAt time.Time        `json:"createdAt"`
}

// Domain is one of the tenant's hosts.
type Domain struct {
	Host     string `json:"host"`
	Primary  bool   `json:"primary,omitempty"`
	Verified bool   `json:"verified,omitempty"`
}

// Migration is one that was applied.
type Migration struct {
	Version int64  `json:"version"`          // as in the version table
	Source  string `json:"source,omitempty"` // empty where the program did not have it
	Name    string `json:"name,omitempty"`

	// Checksum is the beginning of migrate.Migration.Checksum as it was when the migration was applied, in hex. Empty: not known.
	Checksum string `json:"checksum,omitempty"`
}

// Table is one table with rows of its own. A partitioned table has the rows of all its partitions, which are no tables
// here; one that others inherit from has only its own.
type Table struct {
	Name        string   `json:"name"` // as in the catalogue, not quoted
	Partitioned bool     `json:"partitioned,omitempty"`
	Unlogged    bool     `json:"unlogged,omitempty"`
	Columns     []Column `json:"columns"` // in the table's order
}

// Stored returns the names of the columns that the CSV has: all that are not generated.
func (t Table) Stored() []string {
	names := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		if c.Generated == "" {
			names = append(names, c.Name)
		}
	}
	return names
}

// Column is one column.
type Column struct {
	Name      string    `json:"name"`
	Type      string    `json:"type"` // of format_type(), with {schema} in place of the schema's name
	Generated Generated `json:"generated,omitempty"`
	Identity  Identity  `json:"identity,omitempty"`
}

// Generated says whether and how a column is generated.
type Generated string

// The ways in which a column is generated; empty: it is not.
const (
	GeneratedStored  Generated = "stored"
	GeneratedVirtual Generated = "virtual"
)

// Identity says whether and how a column is an identity column.
type Identity string

// The kinds of identity columns; empty: it is none.
const (
	IdentityAlways    Identity = "always"
	IdentityByDefault Identity = "by default"
)

// Sequence is where a sequence stood, at the snapshot or a little later: never behind the rows of the snapshot.
type Sequence struct {
	Name   string `json:"name"`
	Last   int64  `json:"last"`             // last_value
	Called bool   `json:"called,omitempty"` // is_called: whether Last has been given out

	// Table and Column are those that the sequence belongs to, empty where it stands alone. That of an identity column goes by them: its own
	// name is made up by the server.
	Table    string `json:"table,omitempty"`
	Column   string `json:"column,omitempty"`
	Identity bool   `json:"identity,omitempty"` // of an identity column
}

// MaterializedView is one that is to be refreshed after the tables are filled. Its rows are not in the archive.
type MaterializedView struct {
	Name      string `json:"name"`
	Populated bool   `json:"populated,omitempty"`
}
