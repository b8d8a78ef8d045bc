package erp

import "time"

// Parent is a parent or guardian of students of the school.
type Parent struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`     // 1 to 200 characters
	Phone     string    `json:"phone"`    // up to 50 characters
	UserID    *int64    `json:"user_id"`  // the parent's own login; nil: none
	Children  []Child   `json:"children"` // those that the viewer sees, by id
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Child is a student as the child of a parent.
type Child struct {
	StudentID int64  `json:"student_id"`
	Relation  string `json:"relation"` // of the parent to the student, up to 50 characters: "mother"
}

// Version returns the version that was read.
func (p Parent) Version() Version { return versionOf(p.UpdatedAt) }

func (p Parent) id() int64 { return p.ID }

// NewParent is the input of [Parents.Create] and [Parents.Update].
type NewParent struct {
	Name     string  `json:"name"`
	Phone    string  `json:"phone"`
	UserID   *int64  `json:"user_id"`
	Children []Child `json:"children"` // up to 100, each once
}

// Validate returns an [InputError] that names every invalid field.
func (n NewParent) Validate() error {
	var r refusals
	r.text("name", n.Name, 200)
	r.optional("phone", n.Phone, 50)
	r.reference("user_id", n.UserID, userEntity)
	if len(n.Children) > maxLinks {
		r.add("children", "are more than 100")
		return r.err()
	}
	seen := make(map[int64]bool, len(n.Children))
	for _, c := range n.Children {
		if seen[c.StudentID] {
			r.add("children", "name a student twice")
		}
		seen[c.StudentID] = true
		r.reference("children", &c.StudentID, studentEntity)
		r.optional("children", c.Relation, 50)
	}
	return r.err()
}
