package erp

import "time"

// Class is a class of one school year, such as 7b of 2026. Its teachers are part of [Teacher], its
// students of [Student].
type Class struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`    // 1 to 100 characters: "7"
	Section   string    `json:"section"` // up to 20 characters: "b"; the three together are unique in the school
	Year      int       `json:"year"`    // in which the school year begins, 1900 to 2200
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Version returns the version that was read.
func (c Class) Version() Version { return versionOf(c.UpdatedAt) }

func (c Class) id() int64 { return c.ID }

// NewClass is the input of [Classes.Create] and [Classes.Update].
type NewClass struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	Year    int    `json:"year"`
}

// Validate returns an [InputError] that names every invalid field.
func (n NewClass) Validate() error {
	var r refusals
	r.text("name", n.Name, 100)
	r.optional("section", n.Section, 20)
	if n.Year < 1900 || n.Year > 2200 {
		r.add("year", "is not between 1900 and 2200")
	}
	return r.err()
}
