package manage

import (
	"encoding/json"
	"time"

	"github.com/oryne/pgtenant/tenancy"
)

// tenantJSON is a tenant in JSON. Its field names are stable.
type tenantJSON struct {
	ID         int64            `json:"id"`
	Slug       string           `json:"slug"`
	Name       string           `json:"name"`
	Status     tenancy.Status   `json:"status"`
	Schema     string           `json:"schema"`
	Plan       string           `json:"plan"`
	Limits     map[string]int64 `json:"limits"`
	Metadata   json.RawMessage  `json:"metadata"`
	Reason     string           `json:"reason,omitempty"`      // of a suspension or a maintenance
	Until      time.Time        `json:"until,omitzero"`        // of a maintenance
	Failure    string           `json:"failure,omitempty"`     // of the operation
	NextSchema string           `json:"next_schema,omitempty"` // of an unfinished rename
	Operation  tenancy.Op       `json:"operation,omitempty"`   // that has not ended
	Step       string           `json:"step,omitempty"`        // the next one of the operation
	CreatedAt  time.Time        `json:"created_at"`
	UpdatedAt  time.Time        `json:"updated_at"`
	Version    int64            `json:"version"`
	Domains    []domainJSON     `json:"domains,omitempty"` // only in show and create
}

func toTenantJSON(t tenancy.Tenant, domains ...tenancy.Domain) tenantJSON {
	o := operationOf(&t)
	j := tenantJSON{
		ID: t.ID, Slug: t.Slug, Name: t.Name, Status: t.Status, Schema: t.Schema, Plan: t.Plan, Limits: t.Limits,
		Metadata: t.Metadata, Reason: t.Reason, Until: t.Until, Failure: o.Failure, NextSchema: nextSchema(o),
		Operation: o.Op, Step: o.Step,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Version: t.Version,
	}
	if j.Limits == nil {
		j.Limits = map[string]int64{}
	}
	if len(j.Metadata) == 0 {
		j.Metadata = json.RawMessage("{}")
	}
	for _, d := range domains {
		j.Domains = append(j.Domains, toDomainJSON(d))
	}
	return j
}

// domainJSON is a domain in JSON. Its field names are stable.
type domainJSON struct {
	Host       string    `json:"host"`
	Primary    bool      `json:"primary"`
	Verified   bool      `json:"verified"`
	VerifiedAt time.Time `json:"verified_at,omitzero"`
	CreatedAt  time.Time `json:"created_at"`

	// Record and Token are what the holder of a claimed domain publishes: the name of a TXT record,
	// and its text.
	Record string `json:"record,omitempty"`
	Token  string `json:"token,omitempty"`
}

func toDomainJSON(d tenancy.Domain) domainJSON {
	j := domainJSON{
		Host:       d.Host,
		Primary:    d.Primary,
		Verified:   d.Verified(),
		VerifiedAt: d.VerifiedAt,
		CreatedAt:  d.CreatedAt,
	}
	if d.Token != "" {
		j.Record, j.Token = tenancy.DNSLabel+"."+d.Host, d.Token
	}
	return j
}

// operationOf returns the operation on a tenant that has not ended, or the zero value.
func operationOf(t *tenancy.Tenant) tenancy.Operation {
	if t.Operation == nil {
		return tenancy.Operation{}
	}
	return *t.Operation
}

// nextSchema returns the new name of the schema in a rename.
func nextSchema(o tenancy.Operation) string {
	if o.Op != tenancy.OpRename {
		return ""
	}
	return o.Schema
}
