package schemactx

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// maxParams is how many parameters a statement can have in PostgreSQL's protocol.
const maxParams = 65535

// call is a statement as the caller gave it, its options taken off the arguments.
type input struct {
	sql          string
	args         []any
	kind         sqlKind           // by its text and what the schemas may run
	text         sqlKind           // by its text
	named        []string          // the schemas that it may name
	hit          bool              // it was prepared for an earlier call
	savepoint    *savepointCommand // what it is in the batch of a transaction; nil for every other statement
	mode         pgx.QueryExecMode
	formats      pgx.QueryResultFormats
	formatsByOID pgx.QueryResultFormatsByOID
	results      []int16 // the formats to ask for, once encoded
}

// parse reads the options that pgx allows in front of the arguments and lets a [pgx.QueryRewriter]
// rewrite the statement. The rewriter gets no connection: it could query outside of the scope.
func (c *input) parse(ctx context.Context, mode pgx.QueryExecMode, sql string, args []any) error {
	*c = input{sql: sql, args: args, mode: mode}
	var rewriter pgx.QueryRewriter
options:
	for len(c.args) > 0 {
		switch arg := c.args[0].(type) {
		case pgx.QueryResultFormats:
			c.formats = arg
		case pgx.QueryResultFormatsByOID:
			c.formatsByOID = arg
		case pgx.QueryExecMode:
			c.mode = arg
		case pgx.QueryRewriter:
			rewriter = arg
		default:
			break options
		}
		c.args = c.args[1:]
	}
	if rewriter != nil {
		var err error
		if c.sql, c.args, err = rewriter.RewriteQuery(ctx, nil, c.sql, c.args); err != nil {
			return fmt.Errorf("rewrite query: %w", err)
		}
	}
	if len(c.args) > maxParams {
		return fmt.Errorf("a statement has at most %d arguments, got %d", maxParams, len(c.args))
	}
	return nil
}

// prepared reports whether the statement runs as a named prepared statement.
func (c *input) prepared() bool {
	return c.mode != pgx.QueryExecModeExec && c.mode != pgx.QueryExecModeSimpleProtocol
}

// encode puts the arguments into eqb and settles the result formats. sd is nil for a
// statement that is not prepared.
func (c *input) encode(m *pgtype.Map, eqb *pgx.ExtendedQueryBuilder, sd *pgconn.StatementDescription) error {
	if sd != nil && len(sd.ParamOIDs) != len(c.args) {
		return fmt.Errorf("expected %d arguments, got %d", len(sd.ParamOIDs), len(c.args))
	}
	if err := eqb.Build(m, sd, c.args); err != nil {
		return err
	}
	switch {
	case c.formatsByOID != nil && sd != nil:
		c.results = make([]int16, len(sd.Fields))
		for i, f := range sd.Fields {
			c.results[i] = c.formatsByOID[f.DataTypeOID]
		}
	case c.formats != nil:
		c.results = c.formats
	default:
		c.results = eqb.ResultFormats
	}
	return nil
}
