package demo

import (
	"fmt"
	"time"
)

// terms are the terms of the school year for which students are charged.
var terms = []struct {
	name string
	due  time.Time
	paid int // the number of students in ten who have paid in full
}{
	{"Autumn 2026", time.Date(2026, 9, 15, 0, 0, 0, 0, time.UTC), 8},
	{"Spring 2027", time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC), 3},
}

// fees charges each student the tuition of the class for each term. Of ten students, term.paid have
// paid in full, and one has paid half.
func (w *writer) fees() {
	structures := table{
		name:    "fee_structures",
		columns: []string{"id", "class_id", "name", "term", "amount_minor", "currency"},
	}
	fees := table{name: "fees", columns: []string{
		"id", "student_id", "fee_structure_id", "class_id", "term", "amount_minor", "currency", "due_on", "paid_minor",
	}}
	payments := table{name: "payments", columns: []string{
		"id", "fee_id", "kind", "amount_minor", "currency", "method", "reference", "paid_on", "idempotency_key",
	}}
	for _, term := range terms {
		first := len(structures.rows)
		for class := range classes {
			structures.row(int64(first+class+1), int64(class+1), "Tuition", term.name, w.tuition(class), w.school.Currency)
		}
		for student := range w.school.Students {
			class, id := student%classes, int64(len(fees.rows)+1)
			amount, paid := w.tuition(class), int64(0)
			switch of := w.random.IntN(10); {
			case of < term.paid:
				paid = amount
			case of == term.paid:
				paid = amount / 2
			}
			fees.row(id, int64(student+1), int64(first+class+1), int64(class+1), term.name, amount, w.school.Currency,
				term.due, paid)
			if paid > 0 {
				n := int64(len(payments.rows) + 1)
				method := []string{"bank_transfer", "card", "direct_debit"}[w.random.IntN(3)]
				on := term.due.AddDate(0, 0, -120+w.random.IntN(30)) // so that it is in the past
				payments.row(n, id, "payment", paid, w.school.Currency, method, fmt.Sprintf("R-%05d", n), on,
					fmt.Sprintf("demo-%d", n))
			}
		}
	}
	w.tables = append(w.tables, structures, fees, payments)
}

// tuition returns the tuition of a class for one term. It is higher for older students.
func (w *writer) tuition(class int) int64 { return w.school.Tuition + int64(class/sections)*7500 }
