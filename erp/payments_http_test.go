package erp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy/tenancytest"
)

func TestARepeatedPaymentGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	f := setup(t)
	fee := f.addFee(t, f.a, "1")
	body := fmt.Sprintf(
		`{"fee_id": %d, "kind": "payment", "amount_minor": 10000, "currency": "EUR", "method": "card", `+
			`"reference": "R1", "paid_on": "2026-09-01"}`,
		fee.ID,
	)
	pay := func(body string, headers ...string) *httptest.ResponseRecorder {
		return request(f.admin, "POST", f.a.Host, "/api/payments/", body, headers...)
	}
	first := pay(body, "Idempotency-Key: a")
	require.Equal(t, http.StatusCreated, first.Code, first.Body)
	require.Equal(t, "/api/payments/1", first.Header().Get("Location"), first.Body)
	// Nothing is owed any more, so the payment is accepted only as a repetition. The order of the
	// fields does not matter.
	shuffled := fmt.Sprintf(
		`{"paid_on": "2026-09-01", "reference": "R1", "method": "card", "currency": "EUR", "amount_minor": 10000, `+
			`"kind": "payment", "fee_id": %d}`,
		fee.ID,
	)
	for _, repeated := range []string{body, shuffled} {
		again := pay(repeated, "Idempotency-Key: a")
		assert.Equal(t, first.Code, again.Code, "%d %s, first %d %s", again.Code, again.Body, first.Code, first.Body)
		assert.Equal(t, first.Body.String(), again.Body.String(),
			"%d %s, first %d %s", again.Code, again.Body, first.Code, first.Body)
		assert.Equal(t, first.Header().Get("Location"), again.Header().Get("Location"),
			"%d %s, first %d %s", again.Code, again.Body, first.Code, first.Body)
		assert.Equal(t, first.Header().Get("ETag"), again.Header().Get("ETag"),
			"%d %s, first %d %s", again.Code, again.Body, first.Code, first.Body)
	}
	expectProblem(t, "other body", pay(strings.Replace(body, "R1", "R2", 1), "Idempotency-Key: a"), 422, "Idempotency-Key")
	expectProblem(t, "other key", pay(body, "Idempotency-Key: b"), 409, "amount_minor")
	expectProblem(t, "no key", pay(body), 400, "Idempotency-Key")
	expectProblem(t, "empty key", pay(body, "Idempotency-Key: "), 422, "Idempotency-Key")
	expectProblem(t, "long key", pay(body, "Idempotency-Key: "+strings.Repeat("k", 256)), 422, "Idempotency-Key")
	expectProblem(t, "fraction", pay(strings.Replace(body, "10000", "99.5", 1), "Idempotency-Key: b"), 400, "amount_minor")
	expectProblem(t, "exponent", pay(strings.Replace(body, "10000", "1e3", 1), "Idempotency-Key: b"), 400, "amount_minor")
	expectProblem(t, "text", pay(strings.Replace(body, "10000", `"100"`, 1), "Idempotency-Key: b"), 400, "amount_minor")
	expectProblem(t, "no such day", pay(strings.Replace(body, "2026-09-01", "2026-09-31", 1), "Idempotency-Key: b"), 400,
		"paid_on")
	f.expectBalanced(t, f.a)

	// A key is unique within a school; another school can use the same key.
	other := f.addFee(t, f.b, "1")
	w := request(f.admin, "POST", f.b.Host, "/api/payments/",
		strings.Replace(body, fmt.Sprint(fee.ID), fmt.Sprint(other.ID), 1), "Idempotency-Key: a")
	assert.Equal(t, http.StatusCreated, w.Code, "the other school: %d %s", w.Code, w.Body)
}

func TestFeeChangesNeedTheCurrentVersion(t *testing.T) {
	t.Parallel()
	f := setup(t)
	fee := f.addFee(t, f.a, "1")
	path := fmt.Sprintf("/api/fees/%d", fee.ID)
	seen := request(f.admin, "GET", f.a.Host, path, "")
	w := request(f.admin, "GET", f.a.Host, path, "", "If-None-Match: "+seen.Header().Get("ETag"))
	assert.Equal(t, http.StatusOK, w.Code, "%d, although it may be overdue since", w.Code)
	_, err := erp.NewPayments(f.db).Record(asSystem(f.a), "1", cash(fee, 1))
	require.NoError(t, err)
	const change = `{"due_on": "2100-03-01"}`
	expectProblem(t, "paid meanwhile",
		request(f.admin, "PUT", f.a.Host, path, change, "If-Match: "+seen.Header().Get("ETag")), 412, "")
	expectProblem(t, "unseen", request(f.admin, "PUT", f.a.Host, path, change), 428, "")
	now := request(f.admin, "GET", f.a.Host, path, "").Header().Get("ETag")
	expectProblem(t, "amount",
		request(f.admin, "PUT", f.a.Host, path, `{"due_on": "2100-03-01", "amount_minor": 1}`, "If-Match: "+now), 400,
		"amount_minor")
	w = request(f.admin, "PUT", f.a.Host, path, change, "If-Match: "+now)
	if assert.Equal(t, http.StatusOK, w.Code, w.Body) {
		assert.Equal(t, "2100-03-01", decode[erp.Fee](t, w).DueOn.String(), w.Body)
	}
}

func TestBadParametersOfMoneyAreNamed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for path, field := range map[string]string{
		"/api/fees?status=late": "status", "/api/fees?due_before=2026-02-30": "due_before",
		"/api/fees?due_after=tomorrow": "due_after", "/api/fees?student_id=x": "student_id",
		"/api/fees?class_id=0": "class_id", "/api/fees?limit=0": "limit", "/api/fees?after=-1": "after",
		"/api/fees?order=due_on": "order", "/api/payments?kind=gift": "kind", "/api/payments?method=gold": "method",
		"/api/payments?paid_before=1": "paid_before", "/api/payments?fee_id=-1": "fee_id",
		"/api/fee-structures?term=a%00": "term",
	} {
		expectProblem(t, path, request(f.admin, "GET", f.a.Host, path, ""), 422, field)
	}
}

func TestTheMoneyOfOneSchoolTouchesNothingOfAnother(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, school := range []*tenancytest.Tenant{f.a, f.b} {
		exec(t, f, school, "insert into classes (name, year) values ('1', 2026)")
		exec(t, f, school,
			"insert into students (admission_number, first_name, last_name, class_id) values ('1', 'A', 'B', 1)")
	}
	f.env.AssertIsolated(t, f.a, f.b, func(_ context.Context, school *tenancytest.Tenant) error {
		for _, step := range []struct {
			request, body string
			status        int
		}{
			{
				"POST /api/fee-structures",
				`{"class_id": 1, "name": "Tuition", "term": "Autumn", "amount_minor": 100, "currency": "EUR"}`, 201,
			},
			{"POST /api/fee-structures/1/generate", `{"due_on": "2100-01-31"}`, 200},
			{
				"POST /api/payments",
				`{"fee_id": 1, "kind": "payment", "amount_minor": 100, "currency": "EUR", "method": "cash", ` +
					`"paid_on": "2026-09-01"}`,
				201,
			},
			{
				"POST /api/payments",
				`{"fee_id": 1, "kind": "payment", "amount_minor": 100, "currency": "EUR", "method": "cash", ` +
					`"paid_on": "2026-09-01"}`,
				201,
			},
			{
				"POST /api/payments",
				`{"fee_id": 2, "kind": "payment", "amount_minor": 100, "currency": "EUR", "method": "cash", ` +
					`"paid_on": "2026-09-01"}`,
				422,
			},
			{"PUT /api/fees/1", `{"due_on": "2100-01-31", "cancelled": true}`, 409},
			{"GET /api/fees?status=paid", ``, 200},
			{"GET /api/payments?student_id=1", ``, 200},
		} {
			method, path, _ := strings.Cut(step.request, " ")
			w := request(f.admin, method, school.Host, path, step.body, "Idempotency-Key: a", "If-Match: *")
			if w.Code != step.status {
				return fmt.Errorf("%s: %d %s", step.request, w.Code, w.Body)
			}
		}
		return nil
	})
}

// FuzzIdempotencyKey checks that an accepted key is a valid header value and text that PostgreSQL
// can store.
func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{
		"", "a", "8e03978e-40d5-43dd-bc93-6894a57f9324", `"quoted"`, "a b", "\x00", "ü", strings.Repeat("k", 256),
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if erp.IdempotencyKey(key).Validate() != nil {
			return
		}
		if assert.NotEmpty(t, key, "%q gets through", key) &&
			assert.LessOrEqual(t, len(key), 255, "%q gets through", key) &&
			assert.Equal(t, key, strings.TrimSpace(key), "%q gets through", key) {
			assert.False(t, strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }),
				"%q gets through", key)
		}
	})
}

// Ids of one school do not exist at the other.
func TestMoneyOfAnotherSchoolIsNotFound(t *testing.T) {
	t.Parallel()
	w := populate(t)
	for ask, body := range map[string]string{
		"GET /api/fee-structures/1":    "",
		"PUT /api/fee-structures/1":    strings.Replace(newStructure, `"class_id": 2`, `"class_id": 1`, 1),
		"DELETE /api/fee-structures/3": "", "POST /api/fee-structures/1/generate": `{"due_on": "2100-01-31"}`,
		"GET /api/fees/1": "", "PUT /api/fees/1": `{"due_on": "2100-01-31"}`, "GET /api/payments/1": "",
	} {
		method, path, _ := strings.Cut(ask, " ")
		expectProblem(t, ask, request(w.admin, method, w.b.Host, path, body, "If-Match: *"), 404, "")
	}
	for path, c := range map[string][2]string{
		"/api/fee-structures": {newStructure, "class_id"},
		"/api/fees":           {newFee, "fee_structure_id"},
		"/api/payments":       {newPayment, "fee_id"},
	} {
		expectProblem(t, path, request(w.admin, "POST", w.b.Host, path, c[0], "Idempotency-Key: k"), 422, c[1])
	}
	for _, path := range []string{"/api/fee-structures?class_id=1", "/api/fees?student_id=1", "/api/payments?fee_id=1"} {
		assert.Equal(t, "none", outcome(path, request(w.admin, "GET", w.b.Host, path, "")), path)
	}
}
