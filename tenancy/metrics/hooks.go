package metrics

import (
	"context"

	"github.com/oryne/pgtenant/schemactx"
)

// Hooks returns hooks for a [schemactx.DB] that count the activity of tenants and then call the
// hooks of next that are not nil. Several DBs may share them.
//
// A statement within a tenant's scope that the server refuses for missing privileges (SQLSTATE
// 42501) counts as an attempt to reach data of others. It can also be a mistake of the program,
// such as a table without grants.
func (m *Metrics) Hooks(next schemactx.Hooks) schemactx.Hooks {
	l := m.ledger
	return schemactx.Hooks{
		ScopeStart: func(ctx context.Context, data schemactx.ScopeStart) {
			h := l.hold(data.Schema)
			h.cells[cellUnits].Add(1)
			h.cells[cellWait].Add(uint64(max(data.Waited, 0)))
			if next.ScopeStart != nil {
				next.ScopeStart(ctx, data)
			}
		},
		ScopeEnd: func(ctx context.Context, data schemactx.ScopeEnd) {
			l.free(data.Schema)
			if next.ScopeEnd != nil {
				next.ScopeEnd(ctx, data)
			}
		},
		StatementEnd: func(ctx context.Context, data schemactx.StatementEnd) {
			l.of(data.Schema).cells[cellStatements].Add(uint64(data.Statements))
			if next.StatementEnd != nil {
				next.StatementEnd(ctx, data)
			}
		},
		SchemaSwitch: func(ctx context.Context, data schemactx.SchemaSwitch) {
			l.of(data.Schema).add(cellSwitches, 1)
			if next.SchemaSwitch != nil {
				next.SchemaSwitch(ctx, data)
			}
		},
		StatementFailure: func(ctx context.Context, data schemactx.StatementFailure) {
			m.failed(data)
			if next.StatementFailure != nil {
				next.StatementFailure(ctx, data)
			}
		},
	}
}

func (m *Metrics) failed(data schemactx.StatementFailure) {
	a, f := m.ledger.of(data.Schema), failureOf(data.Err)
	a.add(cellErrors+f.class, 1)
	switch {
	case f.attempt:
		a.add(cellAttempts, 1)
	case f.escape:
		a.add(cellEscapes, 1)
	}
}

// LoginFailed counts a failed login on the site of ctx, a tenant's or the public one.
func (m *Metrics) LoginFailed(ctx context.Context) {
	m.ledger.of(schemaOf(ctx)).add(cellLoginFailures, 1)
}

// schemaOf returns the schema of ctx, or "".
func schemaOf(ctx context.Context) string {
	schema, _ := schemactx.FromContext(ctx)
	return schema
}
