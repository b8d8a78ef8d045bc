package erp

import (
	"context"
	"maps"
	"net/http"
)

// registerFees adds the routes of fees. A fee is cancelled, not deleted: the next run of generate
// would create it again.
func (m *Module) registerFees(mux *http.ServeMux) {
	fees := NewFees(m.db)
	all, one := resource[Fee, NewFee]{
		entity: feeEntity, path: "fees", daily: true,
		list: func(ctx context.Context, p *params) ([]Fee, int64, error) {
			filter := FeeFilter{
				StudentID: p.id("student_id"), ClassID: p.id("class_id"), FeeStructureID: p.id("fee_structure_id"),
				Term: p.text("term"), Status: oneOf(p, "status", feeStatuses),
				DueBefore: p.day("due_before"), DueAfter: p.day("due_after"),
			}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return fees.List(ctx, filter, page)
		},
		create: fees.Create, get: fees.Get,
	}.actions()
	_, changes := resource[Fee, FeeChange]{entity: feeEntity, path: "fees", update: fees.Update}.actions()
	maps.Copy(one, changes)
	m.handle(mux, "/api/fees", all)
	m.handle(mux, "/api/fees/{id}", one)
}
