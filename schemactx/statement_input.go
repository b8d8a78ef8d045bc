package schemactx

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// maxParams is the maximum number of parameters of a statement in PostgreSQL's protocol.
const maxParams = 65535

// input is a statement as the caller gave it, with the options separated from the arguments.
type input struct {
	sql          string
	args         []any
	kind         sqlKind           // by its text and the facts of the schemas; see [unitOfWork.effectiveKind]
	textKind     sqlKind           // by its text alone
	named        []string          // the schemas that its text may name
	hit          bool              // the connection had prepared it already
	savepoint    *savepointCommand // for a savepoint statement in the batch of a transaction, else nil
	mode         pgx.QueryExecMode
	formats      pgx.QueryResultFormats
	formatsByOID pgx.QueryResultFormatsByOID
	results      []int16 // the result formats to ask for, set by encode
}

// parse separates the options that pgx allows before the arguments, and lets a [pgx.QueryRewriter]
// rewrite the statement. The rewriter gets a nil connection, because with a connection it could run
// queries outside of the scope.
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

// encode encodes the arguments into eqb and sets the result formats. sd is nil for a statement that
// is not prepared.
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
