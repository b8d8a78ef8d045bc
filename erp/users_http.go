package erp

import (
	"context"
	"net/http"
)

func (m *Module) registerUsers(mux *http.ServeMux) {
	users := NewUsers(m.db)
	resource[User, NewUser]{
		entity: userEntity, path: "users",
		list: func(ctx context.Context, p *params) ([]User, int64, error) {
			filter := UserFilter{Role: Role(p.text("role")), Search: p.text("q")}
			page, err := p.page()
			if err != nil {
				return nil, 0, err
			}
			return users.List(ctx, filter, page)
		},
		create: users.Create, get: users.Get, update: users.Update, delete: users.Delete,
	}.register(m, mux)
	m.handle(mux, "/api/users/{id}/password", methods{http.MethodPut: func(w http.ResponseWriter, r *http.Request) error {
		return m.serveUserPassword(w, r, users)
	}})
}

// serveUserPassword sets the password of a user for an admin: it does not need the old password,
// and ends all sessions of the user.
func (m *Module) serveUserPassword(w http.ResponseWriter, r *http.Request, users Users) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if _, err := mayChange(r.Context(), userEntity); err != nil {
		return err
	}
	var input struct {
		Password string `json:"password"`
	}
	if err := readJSON(w, r, &input); err != nil {
		return err
	}
	if err := users.SetPassword(r.Context(), id, input.Password); err != nil {
		return err
	}
	writeNothing(w, http.StatusNoContent)
	return nil
}
