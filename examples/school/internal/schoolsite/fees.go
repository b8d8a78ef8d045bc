package schoolsite

import (
	"net/http"

	"github.com/oryne/pgtenant/erp"
)

// ledger is the data of a page of the list of fees.
type ledger struct {
	Status   string
	Statuses []erp.FeeStatus
	Fees     []erp.Fee
	Students map[int64]erp.Student
	Next     string
}

// fees shows one page of the list of fees, with their students.
func (s *site) fees(w http.ResponseWriter, r *http.Request, p person) {
	q := r.URL.Query()
	l := ledger{
		Status:   q.Get("status"),
		Statuses: []erp.FeeStatus{erp.FeeOverdue, erp.FeePartPaid, erp.FeeOpen, erp.FeePaid, erp.FeeCancelled},
		Students: make(map[int64]erp.Student),
	}
	fees, next, err := erp.NewFees(s.DB).
		List(r.Context(), erp.FeeFilter{Status: erp.FeeStatus(l.Status)},
			erp.Page{After: number(q.Get("after")), Limit: pageSize})
	if err != nil {
		s.failed(w, r, p, err)
		return
	}
	l.Fees, l.Next = fees, nextPage(q, next)
	for _, fee := range fees {
		if _, known := l.Students[fee.StudentID]; known {
			continue
		}
		if l.Students[fee.StudentID], err = erp.NewStudents(s.DB).Get(r.Context(), fee.StudentID); err != nil {
			s.failed(w, r, p, err)
			return
		}
	}
	s.Render(w, r, http.StatusOK, "fees", s.page(r, p, "Fees", l))
}
