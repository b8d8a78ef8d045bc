package erp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// addFees adds fee structures and fees to the school of populate. Fee 1 is that of the student
// user, who is the parent's child. Fees 2 and 3 are those of other students. Payment 1 is for fee
// 1, and payment 2 for fee 3.
func (w *world) addFees(t *testing.T) {
	t.Helper()
	for _, sql := range []string{
		`insert into fee_structures (class_id, name, term, amount_minor, currency) values
			(1, 'Tuition', 'Autumn', 10000, 'EUR'), (2, 'Tuition', 'Autumn', 20000, 'EUR'), (2, 'Bus', 'Autumn', 500, 'EUR')`,
		`insert into fees (student_id, fee_structure_id, class_id, term, amount_minor, currency, due_on, paid_minor) values
			(1, 1, 1, 'Autumn', 10000, 'EUR', '2100-01-31', 100), (2, 1, 1, 'Autumn', 10000, 'EUR', '2000-01-31', 0),
			(2, 2, 2, 'Autumn', 20000, 'EUR', '2100-01-31', 20000)`,
		`insert into payments (fee_id, kind, amount_minor, currency, method, reference, paid_on, idempotency_key) values
			(1, 'payment', 100, 'EUR', 'cash', 'Receipt 1', '2026-09-01', '1'),
			(3, 'payment', 20000, 'EUR', 'card', '', '2026-09-01', '2')`,
	} {
		exec(t, w.fixture, w.a, sql)
	}
}

const newStructure = `{"class_id": 2, "name": "Lunch", "term": "Autumn", "amount_minor": 100, "currency": "EUR"}`

var structureMatrix = []ask{
	{"GET /api/fee-structures/", ``, "1,2,3 403 403 403 403"},
	{"GET /api/fee-structures?class_id=2&term=Autumn&q=tui", ``, "2 403 403 403 403"},
	{"GET /api/fee-structures/1", ``, "200 403 403 403 403"},
	{"GET /api/fee-structures/99", ``, "404 403 403 403 403"},
	{"POST /api/fee-structures/", newStructure, "201 403 403 403 403"},
	{"POST /api/fee-structures/", `not JSON`, "400 403 403 403 403"},
	{"PUT /api/fee-structures/3", newStructure, "200 403 403 403 403"},
	{"PUT /api/fee-structures/1", newStructure, "409 403 403 403 403"}, // has fees
	{"PUT /api/fee-structures/99", newStructure, "404 403 403 403 403"},
	{"DELETE /api/fee-structures/3", ``, "204 403 403 403 403"},
	{"DELETE /api/fee-structures/1", ``, "409 403 403 403 403"}, // has fees
	{"DELETE /api/fee-structures/99", ``, "404 403 403 403 403"},
	{"POST /api/fee-structures/3/generate", `{"due_on": "2100-01-31"}`, "200 403 403 403 403"},
	{"POST /api/fee-structures/99/generate", `{"due_on": "2100-01-31"}`, "404 403 403 403 403"},
}

const newFee = `{"student_id": 1, "fee_structure_id": 2, "due_on": "2100-01-31"}`

var feeMatrix = []ask{
	{"GET /api/fees/", ``, "1,2,3 403 1 1 403"},
	{"GET /api/fees?student_id=1", ``, "1 403 1 1 403"},
	{"GET /api/fees?student_id=2", ``, "2,3 403 none none 403"},
	{"GET /api/fees?class_id=1&status=overdue", ``, "2 403 none none 403"},
	{"GET /api/fees?fee_structure_id=2", ``, "3 403 none none 403"},
	{"GET /api/fees?due_after=2000-01-31&due_before=2100-02-01", ``, "1,3 403 1 1 403"},
	{"GET /api/fees/1", ``, "200 403 200 200 403"},
	{"GET /api/fees/2", ``, "200 403 404 404 403"},
	{"GET /api/fees/3", ``, "200 403 404 404 403"},
	{"GET /api/fees/99", ``, "404 403 404 404 403"},
	{"POST /api/fees/", newFee, "201 403 403 403 403"},
	{"POST /api/fees/", `{"student_id": 1, "fee_structure_id": 1, "due_on": "2100-01-31"}`, "409 403 403 403 403"},
	{"PUT /api/fees/2", `{"due_on": "2100-01-31", "cancelled": true}`, "200 403 403 403 403"},
	{"PUT /api/fees/1", `{"due_on": "2100-01-31", "cancelled": true}`, "409 403 403 403 403"}, // it is paid in part
	{"PUT /api/fees/99", `{"due_on": "2100-01-31"}`, "404 403 403 403 403"},
}

const newPayment = `{"fee_id": 1, "kind": "payment", "amount_minor": 9900, "currency": "EUR", "method": "cash", ` +
	`"paid_on": "2026-09-01"}`

// Rows that are never changed or deleted have no such method for any role.
func TestRetainedRecordsHaveNoDelete(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []string{
		"DELETE /api/fees/1", "DELETE /api/payments/1", "PUT /api/payments/1", "DELETE /api/fees",
		"GET /api/fee-structures/1/generate",
	} {
		method, path, _ := strings.Cut(c, " ")
		w := request(f.admin, method, f.a.Host, path, "{}", "If-Match: *")
		expectProblem(t, c, w, http.StatusMethodNotAllowed, "")
		assert.NotEmpty(t, w.Header().Get("Allow"), "%s: no Allow", c)
	}
}

var paymentMatrix = []ask{
	{"GET /api/payments/", ``, "1,2 403 1 1 403"},
	{"GET /api/payments?student_id=2", ``, "2 403 none none 403"},
	{"GET /api/payments?fee_id=1&kind=payment&method=cash&q=RECEIPT", ``, "1 403 1 1 403"},
	{"GET /api/payments?paid_after=2026-08-31&paid_before=2026-09-02", ``, "1,2 403 1 1 403"},
	{"GET /api/payments/1", ``, "200 403 200 200 403"},
	{"GET /api/payments/2", ``, "200 403 404 404 403"},
	{"GET /api/payments/99", ``, "404 403 404 404 403"},
	{"POST /api/payments/", newPayment, "201 403 403 403 403"},
	{
		"POST /api/payments/",
		`{"fee_id": 1, "kind": "refund", "amount_minor": 101, "currency": "EUR", "method": "cash", "paid_on": "2026-09-01"}`,
		"409 403 403 403 403",
	},
}
