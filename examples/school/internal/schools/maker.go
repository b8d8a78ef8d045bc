package schools

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/oryne/pgtenant/erp"
	"github.com/oryne/pgtenant/tenancy"
)

// Maker creates schools. It is safe for concurrent use.
type Maker struct {
	Tenants  *tenancy.Manager
	Suffix   string   // the default domain of a school is its short name and this: ".localhost"
	Names    []string // the plans; the first is the default
	Reserved []string // short names that no new school can have
}

// New is the input for a new school.
type New struct {
	Slug, Name, Domain, Plan string
	Admin, Password          string // of the first administrator
}

// DomainOf returns the default domain of a school.
func (m *Maker) DomainOf(slug string) string { return slug + m.Suffix }

// Plans returns the names of the plans.
func (m *Maker) Plans() []string { return slices.Clone(m.Names) }

// CheckPlan returns a [tenancy.FieldError] if there is no such plan.
func (m *Maker) CheckPlan(plan string) error {
	if !slices.Contains(m.Names, plan) {
		return &tenancy.FieldError{Field: "plan", Value: plan, Rule: "does not exist"}
	}
	return nil
}

// Make creates a school with its first administrator. For invalid input it returns an error that
// [Wrong] reads, and creates nothing. After a [tenancy.StepError] the school exists but is not
// active; [tenancy.Manager.Resume] completes it. If only the last change fails, the school is
// active without its plan.
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
	t, err := m.Tenants.AssignStocked(withFirst(ctx, admin), tenancy.CreateParams{
		Slug: n.Slug, Name: n.Name, Domain: n.Domain,
	})
	if err != nil {
		return t, err
	}
	return m.Tenants.Update(ctx, t, tenancy.Changes{Plan: &n.Plan})
}

// check validates the input before anything is created. It returns the administrator with the hash
// of the password.
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
	case strings.HasPrefix(n.Slug, "xn--"): // browsers decode it, for example to another school's name in Cyrillic
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
	if len(wrong) > 0 { // hash a password only for valid input
		return first{}, wrong
	}
	hash, err := erp.HashPassword(ctx, n.Password)
	if errors.As(err, &input) {
		return first{}, WrongError{"password": input.Fields[0].Rule}
	}
	return first{user, hash}, err
}

// turns reports whether r is an embedding, override or isolate of the bidirectional algorithm. Such
// a mark would also reverse the text after the name, for example the short name on the page that
// drops the school. Names in scripts that are written from right to left do not need them.
func turns(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

// Taken is the rule of a field whose value another school has.
const Taken = "is another school's"

// WrongError maps each refused field to the rule that it breaks. The rule is the end of a sentence.
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

// Wrong returns the field errors of an error of [Maker.Make], or nil if there are none.
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
