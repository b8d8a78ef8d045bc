package erp

import (
	"context"
	"net/http"
)

func (m *Module) registerFeeStructures(mux *http.ServeMux) {
	structures := NewFeeStructures(m.db)
	resource[FeeStructure, NewFeeStructure]{
		entity: feeStructureEntity, path: "fee-structures",
		list: func(ctx context.Context, p *params) ([]FeeStructure, int64, error) {
			filter := FeeStructureFilter{ClassID: p.id("class_id"), Term: p.text("term"), Search: p.text("q")}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return structures.List(ctx, filter, page)
		},
		create: structures.Create, get: structures.Get, update: structures.Update, delete: structures.Delete,
	}.register(m, mux)
	m.handle(mux, "/api/fee-structures/{id}/generate", methods{http.MethodPost: m.serveGenerate})
}

// serveGenerate answers with 200, also if every student has the fee already.
func (m *Module) serveGenerate(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	input, err := resource[Fee, Generation]{entity: feeEntity}.input(w, r)
	if err != nil {
		return err
	}
	generated, err := NewFees(m.db).Generate(r.Context(), id, input)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, generated)
	return nil
}
