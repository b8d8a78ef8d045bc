package audit

import (
	"context"
	"fmt"
)

// Heads returns the head of each chain, for [VerifyOptions]. Keep them where the owner of the
// database cannot write, for example in a log on another machine, on paper, or with a notary.
func (r *Reader) Heads(ctx context.Context) ([]ChainHead, error) {
	heads, err := query(ctx, r.db, scanHead, `select * from (
			select distinct on (chain) chain, month, position, digest from {registry}.audit_heads
			order by chain, position desc) h
		union all select chain, month, position, digest from {registry}.audit_ledger where position > 0
		order by month, chain`)
	if err != nil {
		return nil, fmt.Errorf("read audit heads: %w", err)
	}
	return heads, nil
}
