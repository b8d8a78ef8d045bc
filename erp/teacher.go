package erp

import (
	"slices"
	"time"
)

// Teacher is a teacher of the school.
type Teacher struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`      // 1 to 200 characters
	UserID    *int64    `json:"user_id"`   // the teacher's own login; nil: none
	ClassIDs  []int64   `json:"class_ids"` // the classes of the teacher that the viewer sees, by id
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Version returns the version that was read.
func (t Teacher) Version() Version { return versionOf(t.UpdatedAt) }

func (t Teacher) id() int64 { return t.ID }

// NewTeacher is the input of [Teachers.Create] and [Teachers.Update].
type NewTeacher struct {
	Name     string  `json:"name"`
	UserID   *int64  `json:"user_id"`
	ClassIDs []int64 `json:"class_ids"` // up to 100
}

// maxLinks is the largest number of classes of a teacher, and of children of a parent.
const maxLinks = 100

// Validate returns an [InputError] that names every invalid field.
func (n NewTeacher) Validate() error {
	var r refusals
	r.text("name", n.Name, 200)
	r.reference("user_id", n.UserID, userEntity)
	if len(n.ClassIDs) > maxLinks {
		r.add("class_ids", "are more than 100")
	} else if slices.ContainsFunc(n.ClassIDs, func(id int64) bool { return id < 1 }) {
		r.add("class_ids", "hold one that is no class of this school")
	}
	return r.err()
}

// classIDs returns the classes in order, without duplicates. It is never nil, which would be NULL.
func (n NewTeacher) classIDs() []int64 {
	ids := append([]int64{}, n.ClassIDs...)
	slices.Sort(ids)
	return slices.Compact(ids)
}
