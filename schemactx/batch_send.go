package schemactx

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// again prepares for sending the batch once more and reports whether that is possible. It is if a
// statement was stale, the batch has had no effect, and the caller has received no result.
func (br *batchResults) again(err error, hit bool) bool {
	if br.given || br.sent > 0 || !stale(err, hit) {
		return false
	}
	br.sent++
	if br.mrr != nil {
		_ = br.mrr.Close() // it returns the same error
		br.mrr = nil
	}
	return br.restart(br.ctx, br.tx, br.start)
}

// resend sends the batch once more and reads up to the result of statement i.
func (br *batchResults) resend(i int) error {
	if err := br.send(br.ctx); err != nil {
		return err
	}
	for k := range i {
		if err := br.advance(k); err != nil {
			return err
		}
		if _, err := br.mrr.ResultReader().Close(); err != nil {
			return err
		}
		br.savepointDone(k)
	}
	return br.advance(i)
}

func (br *batchResults) send(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sds, err := br.prepare(ctx)
	if err != nil {
		return err
	}
	if br.tx != nil && br.status() == 'E' { // types cannot be loaded before ROLLBACK TO
		br.loaded = br.state.types.get(br.scope, br.tx)
	} else if br.loaded, err = br.typesFor(ctx, br.tx, sds...); err != nil {
		return err
	}
	br.typed = br.typed[:0]
	for i, sd := range sds {
		if br.usesTypes(sd) {
			br.typed = append(br.typed, i)
		}
	}
	b := &pgconn.Batch{}
	block := br.tx == nil && (len(br.inputs) > 1 || br.needsBlock(br.kind))
	prologue := br.prologue(br.tx, block)
	if br.resolveSavepoints() {
		prologue = nil // a failed transaction accepts nothing before the ROLLBACK TO
	}
	named := br.db.named()
	for _, o := range prologue {
		o.queue(br.state, b, named)
	}
	for i := range br.inputs {
		if i > 0 && br.inputs[i-1].kind.mayChangeScope() {
			br.assertion().queue(br.state, b, named)
		}
		if err := br.queue(b, i, sds[i]); err != nil {
			if br.usesTypes(sds[i]) && !br.retried { // as in statement.encode
				br.retried = true
				br.loaded.markStale()
				br.state.cache.drop(stmtKey{br.scope.schema, br.inputs[i].sql})
				return br.send(ctx)
			}
			if sds[i] == nil && br.describe(ctx, i) {
				return br.send(ctx)
			}
			return err
		}
	}
	if br.asserted = br.tx == nil && len(br.inputs) > 1 && br.inputs[len(br.inputs)-1].kind.mayChangeScope(); br.asserted {
		br.assertion().queue(br.state, b, named)
	}
	if br.tx == nil {
		br.queueEpilogue(b, br.kind, block, named)
	}
	br.mrr = br.conn.PgConn().ExecBatch(ctx, b)
	err = prologue.read(br.unitOfWork, br.tx, nextResult(br.mrr))
	if err != nil && br.prologueRetryable(err) {
		_ = br.mrr.Close() // it returns the same error
		br.mrr = nil
	}
	return err
}

// prepare parses every statement and prepares those that the connection has not prepared, in one
// round trip. It returns their descriptions; the description of a statement that runs unprepared is
// nil.
func (br *batchResults) prepare(ctx context.Context) ([]*pgconn.StatementDescription, error) {
	br.inputs = make([]input, len(br.batch.QueuedQueries))
	known := make(map[string]*stmt, len(br.inputs))
	var missing []*stmt
	for i, q := range br.batch.QueuedQueries {
		c := &br.inputs[i]
		if err := c.parse(ctx, br.db.mode, br.tx.named(q.SQL), q.Arguments); err != nil {
			return nil, err
		}
		key := stmtKey{br.scope.schema, c.sql}
		switch st := known[c.sql]; {
		case st != nil:
			c.textKind, c.named, c.hit = st.kind, st.named, st.sd != nil
			continue
		case c.prepared():
			known[c.sql] = br.prepared(c.sql)
		}
		if st := known[c.sql]; st != nil {
			br.db.stats.hits.Add(1)
			c.textKind, c.named, c.hit = st.kind, st.named, true
		} else if c.textKind, c.named = br.kindOf(c.sql); br.isSavepoint(c) {
			continue
		} else if br.afterRollback(c); c.prepared() {
			known[c.sql] = &stmt{key: key, name: br.state.cache.nextName(), kind: c.textKind, named: c.named, age: br.scope.age}
			missing = append(missing, known[c.sql])
		}
		if err := c.textKind.refusal(c.sql); err != nil {
			br.kind = kindRefused
			return nil, err
		}
		br.needFacts(br.tx, c.named)
	}
	if len(missing) > 0 {
		br.db.stats.misses.Add(int64(len(missing)))
		if err := br.unitOfWork.prepare(ctx, br.tx, missing); err != nil {
			return nil, err
		}
	}
	br.effectiveKinds()
	sds := make([]*pgconn.StatementDescription, len(br.inputs))
	for i := range br.inputs {
		br.inputs[i].kind = br.effectiveKind(br.inputs[i].textKind, br.inputs[i].named)
		if st := known[br.inputs[i].sql]; st != nil {
			sds[i] = st.sd
		}
	}
	return sds, nil
}

// effectiveKinds sets br.kind to the kind of the statement that may leave most state behind.
func (br *batchResults) effectiveKinds() {
	br.kind = kindRead
	for i := range br.inputs {
		br.kind = worse(br.kind, br.effectiveKind(br.inputs[i].textKind, br.inputs[i].named))
	}
}

// worse returns the kind that may leave more state behind.
func worse(a, b sqlKind) sqlKind {
	order := []sqlKind{kindRead, kindWrite, kindOther, kindBlock}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

func (br *batchResults) queue(b *pgconn.Batch, i int, sd *pgconn.StatementDescription) error {
	c, eqb := &br.inputs[i], &br.state.eqb
	if sp := c.savepoint; sp != nil {
		b.ExecParams(sp.op.sql(sp.server), nil, nil, nil, nil)
		return nil
	}
	described := sd
	if sd == nil {
		described = br.described[i]
	}
	if err := c.encode(br.mapFor(br.loaded), eqb, described); err != nil {
		return fmt.Errorf("statement %d of the batch: %w", i+1, err)
	}
	formats := slices.Clone(c.results) // the builder uses its memory again for the next statement
	if sd != nil {
		b.ExecStatement(sd, eqb.ParamValues, eqb.ParamFormats, formats)
	} else {
		b.ExecParams(br.text(c.sql), eqb.ParamValues, nil, eqb.ParamFormats, formats)
	}
	return nil
}

// describe asks the server for the types of unnamed statement i, whose arguments could not be
// encoded without them. [unitOfWork.encodeDescribed] does the same for a single statement. It
// returns false if that was done already or is not possible.
func (br *batchResults) describe(ctx context.Context, i int) bool {
	if len(br.db.types) == 0 || br.described[i] != nil {
		return false
	}
	sd, err := br.unitOfWork.describe(ctx, br.tx, br.inputs[i].sql)
	if err != nil {
		return false
	}
	if br.loaded, err = br.typesFor(ctx, br.tx, sd); err != nil {
		return false
	}
	if br.described == nil {
		br.described = make(map[int]*pgconn.StatementDescription)
	}
	br.described[i] = sd
	return true
}
