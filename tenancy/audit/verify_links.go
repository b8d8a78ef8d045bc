package audit

import (
	"context"
	"encoding/json"
	"time"
)

// checkLinks checks that the chains that other chains name exist.
func (v *verification) checkLinks(ctx context.Context) error {
	for _, l := range v.links {
		if _, known := v.expected[l.to.Chain]; known && v.finals[l.to.Chain].Position == 0 {
			continue // reported, or covered by a checkpoint
		}
		stored, ok := v.finals[l.to.Chain]
		if !ok {
			stored = v.checkpoints[l.to.Chain]
		}
		same := stored.Position >= l.to.Position
		if same && stored.Position > l.to.Position {
			heads, err := query(
				ctx,
				v.db,
				scanHead,
				"select chain, month, position, digest from {registry}.audit_heads where chain = $1 and position = $2",
				[16]byte(l.to.Chain),
				l.to.Position,
			)
			if err != nil {
				return err
			}
			same = len(heads) == 0 || heads[0].Digest == l.to.Digest
		} else if same {
			same = stored.Digest == l.to.Digest
		}
		if !same {
			v.report.add(Problem{
				Kind: Unlinked, Tenant: UnknownTenant, Chain: l.to.Chain, From: 1, To: l.to.Position,
				Detail: "chain " + l.from.String() + " names it as its previous chain, but it is missing, too short or different",
			})
		}
	}
	return nil
}

// parseLink decodes the result of linkDetails. It returns false for a chain without a previous one.
func parseLink(details string) (h ChainHead, ok bool) {
	var l struct {
		Chain    string `json:"after_chain"`
		Digest   string `json:"after_digest"`
		Month    string `json:"after_month"`
		Position int64  `json:"after_position"`
	}
	if err := json.Unmarshal([]byte(details), &l); err != nil || l.Position == 0 {
		return h, false
	}
	h.Position = l.Position
	h.Month, _ = time.Parse(time.DateOnly, l.Month) // an error means a changed row: its hash differs too
	return h, parseHex(h.Chain[:], l.Chain) && parseHex(h.Digest[:], l.Digest)
}
