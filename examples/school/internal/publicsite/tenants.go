package publicsite

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/oryne/pgtenant/examples/school/internal/schools"
	"github.com/oryne/pgtenant/examples/school/internal/staff"
	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/ratelimit"
	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// tenantJSON is a school in the list. Staff and others see the same fields: none of them is
// confidential.
type tenantJSON struct {
	Slug    string         `json:"slug"`
	Name    string         `json:"name"`
	Status  tenancy.Status `json:"status"`
	Address string         `json:"address"`
	Created time.Time      `json:"created_at"`
}

func (s *site) shown(t tenancy.Tenant) tenantJSON {
	return tenantJSON{t.Slug, t.Name, t.Status, s.address(t.Slug), t.CreatedAt}
}

func (s *site) listTenants(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := strconv.ParseInt(q.Get("after"), 10, 64)
	if q.Get("after") != "" && (err != nil || after < 0) {
		refused(schools.WrongError{"after": "is not the next of another page"}).Respond(w)
		return
	}
	page := tenancy.Page{}
	switch _, err = s.Staff.Session(r.Context(), sessions(r)); {
	case err == nil:
		page, err = s.Registry.List(r.Context(), tenancy.Filter{Search: q.Get("q"), After: after})
	case errors.Is(err, staff.ErrRefused), errors.Is(err, tenanttoken.ErrForeignTenant):
		page.Tenants, page.Next, err = s.openSchools(r, after)
	}
	if wrong := schools.Wrong(err); wrong != nil {
		refused(wrong).Respond(w)
		return
	}
	if err != nil {
		s.Broken(w, r, err)
		return
	}
	list := []tenantJSON{} // encodes as [], not null
	for _, t := range page.Tenants {
		list = append(list, s.shown(t))
	}
	web.WriteJSON(w, http.StatusOK, struct {
		Tenants []tenantJSON `json:"tenants"`
		Next    int64        `json:"next,omitempty"`
	}{list, page.Next})
}

func (s *site) createTenant(w http.ResponseWriter, r *http.Request) {
	var input struct {
		Name     string `json:"name"`
		Slug     string `json:"slug"`
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if !web.ReadJSON(w, r, &input) {
		return
	}
	t, err := s.make(r, schools.New{Name: input.Name, Slug: input.Slug, Admin: input.Email, Password: input.Password})
	wrong := schools.Wrong(err)
	switch {
	case wrong != nil:
		refused(wrong).Respond(w)
	case errors.Is(err, errTooMany):
		tooMany.Respond(w)
	case err != nil:
		s.BrokenOff(w, r, err)
	default:
		w.Header().Set("Location", s.address(t.Slug))
		web.WriteJSON(w, http.StatusCreated, s.shown(t))
	}
}

// refused returns the problem details of a form with invalid fields. The field for the
// administrator's address is called "email", as in the request.
func refused(wrong schools.WrongError) tenanthttp.Problem {
	p := tenanthttp.Problem{Status: http.StatusUnprocessableEntity, Title: "Invalid input", Detail: wrong.Error()}
	if rule, ok := wrong["slug"]; ok && rule == schools.Taken {
		p.Status, p.Title = http.StatusConflict, "Conflict"
	}
	for field, rule := range wrong {
		if field == "admin" {
			field = "email"
		}
		p.Fields = append(p.Fields, tenanthttp.ProblemField{Field: field, Detail: rule})
	}
	slices.SortFunc(
		p.Fields,
		func(a, b tenanthttp.ProblemField) int { return slices.Compare([]byte(a.Field), []byte(b.Field)) },
	)
	return p
}

// One client address can sign up five schools per minute, and ten at once: each school costs a
// schema.
var (
	signups    = ratelimit.Policy{Tenant: ratelimit.Unlimited(), Caller: ratelimit.PerMinute(5).WithBurst(10)}
	errTooMany = errors.New("too many schools at once")
	tooMany    = tenanthttp.Problem{
		Status:     http.StatusTooManyRequests,
		Detail:     "There were many schools from your address. Wait a minute.",
		RetryAfter: time.Minute,
	}
)

// createTimeout bounds the creation of a school. It is longer than that takes without a stocked
// schema.
const createTimeout = time.Minute

// make creates a school for a sign-up.
func (s *site) make(r *http.Request, n schools.New) (tenancy.Tenant, error) {
	taken, err := s.signups.Allow(r.Context(), ratelimit.AllowRequest{Caller: web.Client(r), Policy: signups, Cost: 1})
	if err != nil {
		return tenancy.Tenant{}, err
	}
	if taken.Caller.Refused {
		return tenancy.Tenant{}, errTooMany
	}
	// Finish the creation even if the browser disconnects. A half-made school would keep its short
	// name from the next attempt.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), createTimeout)
	defer cancel()
	t, err := s.Schools.Make(ctx, n)
	if err == nil {
		s.Logger.InfoContext(r.Context(), "school signed up", slog.String("tenant", t.Slug))
	}
	return t, err
}
