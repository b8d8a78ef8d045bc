package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Verify checks every row of a tenant, 0 for the platform, and that no chain has missing rows,
// which could have been rows of the tenant. Of other tenants it reads only the index. It does not
// check digests; [Reader.VerifyAll] does. ctx governs the queries. An error means that the
// verification failed to run; damage to the log is in the report.
func (r *Reader) Verify(ctx context.Context, tenant int64) (Report, error) {
	report := Report{}
	if err := r.verifyTenant(ctx, tenant, &report); err != nil {
		return report, fmt.Errorf("verify audit log of tenant %d: %w", tenant, err)
	}
	return report, nil
}

func (r *Reader) verifyTenant(ctx context.Context, tenant int64, report *Report) error {
	v := &verification{reader: r, db: r.db, report: report}
	if err := v.loadCheckpoints(ctx); err != nil {
		return err
	}
	tips, err := query(
		ctx,
		r.db,
		scanHead,
		"select chain, month, position, digest from {registry}.audit_ledger where tenant_id = $1 and position > 0",
		tenant,
	)
	if err != nil {
		return err
	}
	gaps, err := r.gaps(ctx)
	if err != nil {
		return err
	}
	c := newChecker(r.keys, report)
	var at *ChainID
	last := map[ChainID]int64{}
	err = each(ctx, r.db, func(s *stored) {
		if at == nil || *at != s.chain {
			c.end()
			_, partial := v.checkpoints[s.chain]
			c.begin(partial)
			at = &s.chain
		}
		c.row(s)
		last[s.chain] = s.position
	}, "select "+recordColumns+" from {registry}.audit_log where tenant_id = $1 "+
		"order by chain, seq, position, month", tenant)
	if err != nil {
		return err
	}
	c.end()
	for _, tip := range tips {
		if last[tip.Chain] < tip.Position && v.checkpoints[tip.Chain].Position < tip.Position {
			report.add(Problem{
				Kind:   Missing,
				Tenant: tenant,
				Chain:  tip.Chain,
				From:   last[tip.Chain] + 1,
				To:     tip.Position,
				Detail: "the ledger goes on",
			})
		}
	}
	for _, g := range gaps {
		base := v.checkpoints[g.Chain].Position
		if g.To <= base || explained(report.Problems, g) {
			continue
		}
		g.From = max(g.From, base+1)
		report.add(g)
	}
	return nil
}

// explained reports whether a gap is covered by a problem of a known tenant.
func explained(problems []Problem, gap Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool {
		return p.Kind == Missing && p.Chain == gap.Chain && p.From <= gap.From && gap.To <= p.To
	})
}

// gaps returns the missing positions of all chains. It reads the heads first, because rows that are
// written later are behind them.
func (r *Reader) gaps(ctx context.Context) ([]Problem, error) {
	heads, err := query(
		ctx,
		r.db,
		scanHead,
		"select distinct on (chain) chain, month, position, digest from {registry}.audit_heads order by chain, position desc",
	)
	if err != nil {
		return nil, err
	}
	ends, err := query(
		ctx,
		r.db,
		pgx.RowToStructByPos[end],
		"select chain, max(position) from {registry}.audit_log group by chain",
	)
	if err != nil {
		return nil, err
	}
	gaps, err := query(ctx, r.db, scanGap, `select chain, before + 1, position - 1 from (
			select chain, position, lag(position, 1, 0::bigint) over (partition by chain order by position) as before
			from {registry}.audit_log) as p
		where position > before + 1`)
	if err != nil {
		return nil, err
	}
	reached := map[ChainID]int64{}
	for _, e := range ends {
		reached[e.Chain] = e.Position
	}
	for _, h := range heads {
		if h.Position > reached[h.Chain] {
			gaps = append(gaps, gapOf(h.Chain, reached[h.Chain]+1, h.Position))
		}
	}
	return gaps, nil
}

// end is the last position of a chain.
type end struct {
	Chain    [16]byte
	Position int64
}

func gapOf(id ChainID, from, to int64) Problem {
	return Problem{
		Kind:   Missing,
		Tenant: UnknownTenant,
		Chain:  id,
		From:   from,
		To:     to,
		Detail: "rows of the chain are gone",
		Time:   time.Time{},
	}
}

func scanGap(row pgx.CollectableRow) (Problem, error) {
	var id [16]byte
	var from, to int64
	err := row.Scan(&id, &from, &to)
	return gapOf(id, from, to), err
}
