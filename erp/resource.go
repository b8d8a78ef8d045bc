package erp

import (
	"context"
	"net/http"
	"strconv"
)

// resource is an entity in HTTP: T is a row, N the input for one. A nil function means that the
// method is not allowed (405).
type resource[T record, N any] struct {
	entity entity
	path   string // as in /api/path/

	// partial means that viewers see different parts of a row, and that a part can change without the
	// version. Only viewers who see every row get 304.
	partial bool

	// daily means that a row changes with the day, without its version. No viewer gets 304.
	daily bool

	list   func(ctx context.Context, p *params) (rows []T, next int64, err error)
	create func(ctx context.Context, n N) (T, error)
	get    func(ctx context.Context, id int64) (T, error)
	update func(ctx context.Context, id int64, version Version, n N) (T, error)
	delete func(ctx context.Context, id int64, version Version) error
}

// register adds the routes of the resource.
func (res resource[T, N]) register(m *Module, mux *http.ServeMux) {
	all, one := res.actions()
	m.handle(mux, "/api/"+res.path, all)
	m.handle(mux, "/api/"+res.path+"/{id}", one)
}

// actions returns the actions on the whole list and on one row.
func (res resource[T, N]) actions() (all, one methods) {
	all, one = methods{}, methods{}
	for _, a := range []struct {
		there  bool
		path   methods
		method string
		act    action
	}{
		{res.list != nil, all, http.MethodGet, res.serveList},
		{res.create != nil, all, http.MethodPost, res.serveCreate},
		{res.get != nil, one, http.MethodGet, res.serveGet},
		{res.update != nil, one, http.MethodPut, res.serveUpdate},
		{res.delete != nil, one, http.MethodDelete, res.serveDelete},
	} {
		if a.there {
			a.path[a.method] = a.act
		}
	}
	return all, one
}

func (res resource[T, N]) serveList(w http.ResponseWriter, r *http.Request) error {
	rows, next, err := res.list(r.Context(), readParams(r))
	if err != nil {
		return err
	}
	if rows == nil {
		rows = []T{}
	}
	body := map[string]any{res.entity.table: rows}
	if next != 0 {
		body["next"] = next
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

func (res resource[T, N]) serveCreate(w http.ResponseWriter, r *http.Request) error {
	input, err := res.input(w, r)
	if err != nil {
		return err
	}
	row, err := res.create(r.Context(), input)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/"+res.path+"/"+strconv.FormatInt(row.id(), 10))
	w.Header().Set("ETag", row.Version().tag())
	writeJSON(w, http.StatusCreated, row)
	return nil
}

func (res resource[T, N]) serveGet(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	row, err := res.get(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", row.Version().tag())
	if noneMatch(r, row.Version()) && !res.differs(r.Context()) {
		writeNothing(w, http.StatusNotModified)
		return nil
	}
	writeJSON(w, http.StatusOK, row)
	return nil
}

func (res resource[T, N]) serveUpdate(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	input, err := res.input(w, r)
	if err != nil {
		return err
	}
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	row, err := res.update(r.Context(), id, version, input)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", row.Version().tag())
	writeJSON(w, http.StatusOK, row)
	return nil
}

func (res resource[T, N]) serveDelete(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	if _, err := mayChange(r.Context(), res.entity); err != nil {
		return err
	}
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	if err := res.delete(r.Context(), id, version); err != nil {
		return err
	}
	writeNothing(w, http.StatusNoContent)
	return nil
}

// differs reports whether the viewer may see another row although its version is the same.
func (res resource[T, N]) differs(ctx context.Context) bool {
	v, _ := ViewerFromContext(ctx)
	return res.daily || res.partial && v.Role != RoleAdmin
}

// input reads the body. If the viewer must not change the resource, it returns that error without
// reading.
func (res resource[T, N]) input(w http.ResponseWriter, r *http.Request) (input N, err error) {
	if _, err := mayChange(r.Context(), res.entity); err != nil {
		return input, err
	}
	return input, readJSON(w, r, &input)
}

// pathID returns the id of the path. If it is not an id, no row has it: the error is [ErrNotFound].
func pathID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, ErrNotFound
	}
	return id, nil
}
