package erp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/oryne/pgtenant/tenancy"
)

// HandlerConfig says how [Handler] works.
type HandlerConfig struct {
	// Logger gets the errors that a client is not told. Nil discards.
	Logger *slog.Logger
}

// Handler serves the API of the school in the request's context:
//
//	GET  /api/students/       a page of students; ?after= and ?limit= as in [Page]
//	POST /api/students/       admits a student
//	GET  /api/students/{id}   one student
//
// The slash at the end is optional. Every refusal is a [tenancy.Problem]: 400 for a body
// that is not JSON of the right shape, 404, 405, 409 for a clash with what is there, 413 for
// a body over 1 MiB, 415 for one that is not application/json, and 422 for fields that are
// refused, each named.
func Handler(db Querier, cfg HandlerConfig) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	api := &api{students: NewStudents(db), logger: cfg.Logger}
	mux := http.NewServeMux()
	for _, path := range []string{"/api/students", "/api/students/{$}"} {
		mux.Handle(path, methods{http.MethodGet: api.listStudents, http.MethodPost: api.createStudent})
	}
	mux.Handle("/api/students/{id}", methods{http.MethodGet: api.getStudent})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		tenancy.Problem{Status: http.StatusNotFound, Detail: "There is nothing at this address."}.Respond(w)
	})
	return mux
}

type api struct {
	students Students
	logger   *slog.Logger
}

func (a *api) listStudents(w http.ResponseWriter, r *http.Request) {
	page, err := readPage(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	students, next, err := a.students.List(r.Context(), page)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Students []Student `json:"students"`
		Next     int64     `json:"next,omitempty"`
	}{students, next})
}

func (a *api) getStudent(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		a.refuse(w, r, ErrNotFound)
		return
	}
	student, err := a.students.Get(r.Context(), id)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, student)
}

func (a *api) createStudent(w http.ResponseWriter, r *http.Request) {
	var input NewStudent
	if err := readJSON(w, r, &input); err != nil {
		a.refuse(w, r, err)
		return
	}
	student, err := a.students.Create(r.Context(), input)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	w.Header().Set("Location", "/api/students/"+strconv.FormatInt(student.ID, 10))
	writeJSON(w, http.StatusCreated, student)
}

// readPage reads the parameters of a list.
func readPage(r *http.Request) (Page, error) {
	var page Page
	var refused refusals
	query := r.URL.Query()
	if v := query.Get("after"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			refused.add("after", "is not the next of another page")
		}
		page.After = n
	}
	if v := query.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > MaxLimit {
			refused.add("limit", "is not between 1 and "+strconv.Itoa(MaxLimit))
		}
		page.Limit = n
	}
	return page, refused.err()
}

// refuse answers with the problem that err stands for.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var input *InputError
	var body *bodyError
	switch {
	case errors.As(err, &body):
		tenancy.Problem{Status: body.status, Detail: body.detail, Fields: body.fields()}.Respond(w)
	case errors.As(err, &input):
		inputProblem(input).Respond(w)
	case errors.Is(err, ErrNotFound):
		tenancy.Problem{Status: http.StatusNotFound, Detail: "There is no such student in this school."}.Respond(w)
	case errors.Is(err, context.Canceled):
		w.WriteHeader(http.StatusServiceUnavailable) // the client has gone; nobody reads this
	case unavailable(err):
		a.logger.ErrorContext(r.Context(), "database does not answer", slog.String("path", r.URL.Path), slog.Any("error", err))
		tenancy.Problem{Status: http.StatusServiceUnavailable, Detail: "The database does not answer."}.Respond(w)
	default:
		a.logger.ErrorContext(r.Context(), "request failed", slog.String("path", r.URL.Path), slog.Any("error", err))
		tenancy.Problem{Status: http.StatusInternalServerError}.Respond(w)
	}
}

func inputProblem(e *InputError) tenancy.Problem {
	p := tenancy.Problem{Status: http.StatusUnprocessableEntity, Title: "Invalid input", Detail: e.Error()}
	if e.Conflict {
		p.Status, p.Title = http.StatusConflict, "Conflict"
	}
	for _, f := range e.Fields {
		p.Fields = append(p.Fields, tenancy.ProblemField{Field: f.Field, Detail: f.Rule})
	}
	return p
}

// unavailable reports whether err is the connection's and not the statement's.
func unavailable(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || errors.Is(err, context.DeadlineExceeded)
}

// methods are the handlers of one path by method.
type methods map[string]http.HandlerFunc

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	if h, ok := m[method]; ok {
		h(w, r)
		return
	}
	for allowed := range m {
		w.Header().Add("Allow", allowed)
	}
	tenancy.Problem{Status: http.StatusMethodNotAllowed}.Respond(w)
}
