package schools

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy"
)

// Maker makes schools. It is safe for concurrent use.
type Maker struct {
	Tenants  *tenancy.Manager
	Suffix   string   // of the domain of a school that names none: ".localhost"
	Names    []string // of the plans; the first is that of who says nothing
	Reserved []string // short names that nobody gets
}

// New is a school that is to be.
type New struct {
	Slug, Name, Domain, Plan string
	Admin, Password          string // of its first administrator
}

// DomainOf returns the domain of a school that names none.
func (m *Maker) DomainOf(slug string) string { return slug + m.Suffix }

// Plans returns the names of the plans.
func (m *Maker) Plans() []string { return slices.Clone(m.Names) }

// CheckPlan returns a [tenancy.FieldError] for a plan that there is not.
func (m *Maker) CheckPlan(plan string) error {
	if !slices.Contains(m.Names, plan) {
		return &tenancy.FieldError{Field: "plan", Value: plan, Rule: "does not exist"}
	}
	return nil
}

// Make makes a school with its first administrator. What is wrong with it is what [Wrong] reads,
// and nothing was made. A [tenancy.StepError] leaves a school that nobody can reach, for
// [tenancy.Manager.Resume].
func (m *Maker) Make(ctx context.Context, n New) (tenancy.Tenant, error) {
	if n.Plan == "" {
		n.Plan = m.Names[0]
	}
	if n.Domain == "" {
		n.Domain = m.DomainOf(n.Slug)
	}
	admin, err := m.check(ctx, n)
	if err != nil {
		return tenancy.Tenant{}, err
	}
	t, err := m.Tenants.Claim(withFirst(ctx, admin), tenancy.CreateParams{Slug: n.Slug, Name: n.Name, Domain: n.Domain})
	if err != nil {
		return t, err
	}
	return m.Tenants.Update(ctx, t, tenancy.Changes{Plan: &n.Plan})
}

// check finds what is wrong before anything is made, and returns the administrator, whose password
// is hashed meanwhile.
func (m *Maker) check(ctx context.Context, n New) (first, error) {
	wrong := make(WrongError)
	var refused *tenancy.FieldError
	for _, err := range []error{tenancy.ValidateSlug(n.Slug), tenancy.ValidateDisplayName(n.Name), m.CheckPlan(n.Plan)} {
		if errors.As(err, &refused) {
			wrong[refused.Field] = refused.Rule
		}
	}
	switch {
	case slices.Contains(m.Reserved, n.Slug):
		wrong["slug"] = "is reserved"
	case strings.HasPrefix(n.Slug, "xn--"): // which browsers show as what it stands for, such as another school's name in Cyrillic
		wrong["slug"] = "is a name in another script"
	}
	if strings.ContainsFunc(n.Name, turns) {
		wrong["name"] = "holds a mark that turns the direction of writing"
	}
	if _, err := tenancy.NormalizeHost(n.Domain); errors.As(err, &refused) && wrong["slug"] == "" {
		wrong["domain"] = refused.Rule
	}
	user := erp.NewUser{Email: n.Admin, Name: "Administrator", Role: erp.RoleAdmin}
	var input *erp.InputError
	if errors.As(user.Validate(), &input) {
		wrong["admin"] = input.Fields[0].Rule
	}
	if len(wrong) > 0 { // so that a password is hashed for a form alone that is right otherwise
		return first{}, wrong
	}
	hash, err := erp.HashPassword(ctx, n.Password)
	if errors.As(err, &input) {
		return first{}, WrongError{"password": input.Fields[0].Rule}
	}
	return first{user, hash}, err
}

// turns finds the marks that turn what stands behind a name around, too, such as its short name on
// the page that drops it: the embeddings, overrides and isolates of the bidirectional algorithm.
// Names in scripts that are written to the left need none.
func turns(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

// Taken is what is wrong with a field whose value another school has.
const Taken = "is another school's"

// WrongError says which fields of a school are refused, and why: the rule that each breaks, as the
// end of a sentence.
type WrongError map[string]string

// Error returns the fields and the rules.
func (e WrongError) Error() string {
	var all []string
	for field, rule := range e {
		all = append(all, field+" "+rule)
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

// Wrong returns what is wrong with the fields of a school that could not be made, or nil.
func Wrong(err error) WrongError {
	var wrong WrongError
	var field *tenancy.FieldError
	switch {
	case errors.As(err, &wrong):
		return wrong
	case errors.As(err, &field):
		return WrongError{field.Field: field.Rule}
	case errors.Is(err, tenancy.ErrSlugTaken):
		return WrongError{"slug": Taken}
	case errors.Is(err, tenancy.ErrDomainTaken):
		return WrongError{"domain": Taken}
	}
	return nil
}
