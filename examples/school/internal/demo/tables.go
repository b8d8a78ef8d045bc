package demo

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A school has six years with two sections each.
const (
	firstYear  = 7
	years      = 6
	sections   = 2
	classes    = years * sections
	schoolYear = 2026
	teachers   = classes + 4
)

// tables holds the rows of a school by table, in the order in which they are copied. The ids are
// part of the rows, so that references are known before anything is written.
type tables []table

type table struct {
	name    string
	columns []string
	rows    [][]any
}

func (b *tables) add(name string, columns ...string) *table {
	*b = append(*b, table{name: name, columns: columns})
	return &(*b)[len(*b)-1]
}

// names returns the names of the users who can log in: the first row of each kind. The
// administrator has no row in the tables.
func (b tables) names() map[Role]string {
	names := map[Role]string{Admin: "School Office"}
	for _, t := range b {
		switch first := t.rows[0]; t.name {
		case "teachers":
			names[Teacher] = first[1].(string)
		case "parents":
			names[Parent] = first[1].(string)
		case "students":
			names[Student] = first[2].(string) + " " + first[3].(string)
		}
	}
	return names
}

func (t *table) row(values ...any) { t.rows = append(t.rows, values) }

// writer generates one school. The same seed generates the same school.
type writer struct {
	school School
	random *rand.Rand
	tables tables
}

// write generates a school. users has the ids of the users who can log in: the administrator, and
// the first teacher, parent and student.
func write(s School, users map[Role]int64) tables {
	w := &writer{school: s, random: rand.New(rand.NewPCG(s.Seed, 2026))}
	w.classes()
	w.teachers(users[Teacher])
	families := w.students(users[Student])
	w.parents(families, users[Parent])
	w.fees()
	return w.tables
}

func (w *writer) classes() {
	t := w.tables.add("classes", "id", "name", "section", "year")
	for i := range classes {
		t.row(int64(i+1), fmt.Sprintf("Year %d", firstYear+i/sections), string(rune('A'+i%sections)), schoolYear)
	}
}

func (w *writer) teachers(user int64) {
	t := w.tables.add("teachers", "id", "name", "user_id")
	for i := range teachers {
		t.row(int64(i+1), w.pick(firstNames)+" "+w.pick(lastNames), only(i == 0, user))
	}
	// Each class has a teacher of its own and a second one.
	t = w.tables.add("class_teachers", "class_id", "teacher_id")
	for i := range classes {
		t.row(int64(i+1), int64(i+1))
		t.row(int64(i+1), int64((i+1+w.random.IntN(teachers-1))%teachers+1))
	}
}

// family is a group of siblings with the same last name. They have the same parents.
type family struct {
	name     string
	children []int64
}

// students adds the students and returns their families. Three in ten have an elder sibling at the
// school.
func (w *writer) students(user int64) (families []family) {
	t := w.tables.add("students", "id", "admission_number", "first_name", "last_name", "date_of_birth", "class_id",
		"user_id")
	for i := range w.school.Students {
		id, class := int64(i+1), i%classes
		first, last := w.pick(firstNames), w.pick(lastNames)
		named := i < len(w.school.First)
		if named {
			first, last = w.school.First[i][0], w.school.First[i][1]
		}
		if sibling := w.random.IntN(10) < 3; sibling && !named && len(families) > 0 {
			of := &families[w.random.IntN(len(families))]
			last = of.name
			of.children = append(of.children, id)
		} else {
			families = append(families, family{last, []int64{id}})
		}
		age := firstYear + 5 + class/sections
		born := time.Date(schoolYear-age, 9, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, w.random.IntN(365))
		t.row(id, fmt.Sprintf("%s-%04d", w.school.Prefix, i+1), first, last, born, int64(class+1), only(i == 0, user))
	}
	return families
}

func (w *writer) parents(families []family, user int64) {
	parents := table{name: "parents", columns: []string{"id", "name", "phone", "user_id"}}
	links := table{name: "student_parents", columns: []string{"student_id", "parent_id", "relation"}}
	for _, f := range families {
		for _, relation := range []string{"mother", "father"}[w.random.IntN(2):] {
			id := int64(len(parents.rows) + 1)
			phone := fmt.Sprintf("+44 20 7946 %04d", w.random.IntN(1000)) // from a range reserved for fiction
			parents.row(id, w.pick(firstNames)+" "+f.name, phone, only(id == 1, user))
			for _, child := range f.children {
				links.row(child, id, relation)
			}
		}
	}
	w.tables = append(w.tables, parents, links)
}

func (w *writer) pick(names []string) string { return names[w.random.IntN(len(names))] }

// only returns value, or NULL if is is false or value is 0.
func only(is bool, value int64) any {
	if !is || value == 0 {
		return nil
	}
	return value
}
