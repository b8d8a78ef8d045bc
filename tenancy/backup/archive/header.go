package archive

import (
	"encoding/json"
	"time"
)

// Version is the newest version of the format that this package writes and reads. An archive has
// the oldest version that has all of its fields, so that older programs can read it: 2 with
// Partitions or LeftOut, else 1.
const Version = 2

// Header is the first entry of an archive. It describes the contents and their origin.
//
// It is data to compare with what the migrations create. No name and no type in it may become part
// of an SQL statement.
type Header struct {
	Version  int       `json:"version"`  // of the format; NewWriter sets it
	PartSize int       `json:"partSize"` // bytes of CSV in each part except a table's last; NewWriter sets it
	Tenant   Tenant    `json:"tenant"`
	Schema   string    `json:"schema"`   // name of the schema at TakenAt
	TakenAt  time.Time `json:"takenAt"`  // time of the snapshot, by the server's clock
	Snapshot string    `json:"snapshot"` // pg_current_snapshot()

	PostgreSQL string `json:"postgresql"` // version of the server: "15.18"
	Library    string `json:"library"`    // version of the module that wrote the archive, or "(devel)"
	Encoding   string `json:"encoding"`   // of the CSV: "UTF8"

	Migrations  []Migration `json:"migrations"`            // applied to the schema, ordered by version
	Fingerprint string      `json:"fingerprint"`           // drift.Structure.Hash of the schema
	Differences []string    `json:"differences,omitempty"` // from what the migrations create, if that was allowed

	Tables            []Table            `json:"tables"`
	Sequences         []Sequence         `json:"sequences"`
	MaterializedViews []MaterializedView `json:"materializedViews,omitempty"`

	// Partitions are those that the migrations do not create, each after its parent. Since version 2.
	Partitions []Partition `json:"partitions,omitempty"`

	// LeftOut are the tables of migrate.Config.ExtraTables in the schema. The archive contains neither
	// them nor their rows. Since version 2.
	LeftOut []string `json:"leftOut,omitempty"`

	// LargeObjects is the policy for large objects, which belong to a database and not to a schema. It
	// is "none": a schema with columns that refer to large objects is not backed up.
	LargeObjects string `json:"largeObjects"`
}

// Tenant is the tenant's row in the registry.
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

// Domain is one of the tenant's domains.
type Domain struct {
	Host     string `json:"host"`
	Primary  bool   `json:"primary,omitempty"`
	Verified bool   `json:"verified,omitempty"`
}

// Migration is an applied migration.
type Migration struct {
	Version int64  `json:"version"`          // as in the version table
	Source  string `json:"source,omitempty"` // empty if the program did not have it
	Name    string `json:"name,omitempty"`

	// Checksum is the beginning of migrate.Migration.Checksum at the time the migration was applied,
	// in hexadecimal. Empty: unknown.
	Checksum string `json:"checksum,omitempty"`
}

// Table is a table with its own rows. A partitioned table has the rows of all its partitions, which
// are not listed as tables. A table with inheritance children has only its own rows.
type Table struct {
	Name        string   `json:"name"` // as in the catalog, not quoted
	Partitioned bool     `json:"partitioned,omitempty"`
	Unlogged    bool     `json:"unlogged,omitempty"`
	Columns     []Column `json:"columns"` // in the table's order
}

// Stored returns the names of the columns in the CSV: all columns that are not generated.
func (t Table) Stored() []string {
	names := make([]string, 0, len(t.Columns))
	for _, c := range t.Columns {
		if c.Generated == "" {
			names = append(names, c.Name)
		}
	}
	return names
}

// Column is a column of a table.
type Column struct {
	Name      string    `json:"name"`
	Type      string    `json:"type"` // result of format_type(), with {schema} instead of the schema's name
	Generated Generated `json:"generated,omitempty"`
	Identity  Identity  `json:"identity,omitempty"`
}

// Generated is the kind of a generated column.
type Generated string

// The kinds of generated columns. An empty string means that the column is not generated.
const (
	GeneratedStored  Generated = "stored"
	GeneratedVirtual Generated = "virtual"
)

// Identity is the kind of an identity column.
type Identity string

// The kinds of identity columns. An empty string means that the column is not an identity column.
const (
	IdentityAlways    Identity = "always"
	IdentityByDefault Identity = "by default"
)

// Sequence is the state of a sequence at the snapshot or later. It is never behind the rows of the
// snapshot.
type Sequence struct {
	Name   string `json:"name"`
	Last   int64  `json:"last"`             // last_value
	Called bool   `json:"called,omitempty"` // is_called: whether Last has been used

	// Table and Column are the owner of the sequence; both are empty if it has none. They identify the
	// sequence of an identity column, because the server chooses its name.
	Table    string `json:"table,omitempty"`
	Column   string `json:"column,omitempty"`
	Identity bool   `json:"identity,omitempty"` // of an identity column
}

// MaterializedView is a materialized view, which a restore refreshes after the tables are loaded.
// Its rows are not in the archive.
type MaterializedView struct {
	Name      string `json:"name"`
	Populated bool   `json:"populated,omitempty"`
}
