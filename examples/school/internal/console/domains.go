package console

import (
	"net/http"

	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
)

// addDomain adds a domain by the platform's word, or has the school prove that it is its own.
func (c *console) addDomain(_ http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	host := form.Text("host")
	if form.Text("proof") == "" {
		d, err := c.Tenants.AddDomain(r.Context(), slug, host)
		return d.Host + " leads to the school.", err
	}
	d, err := c.Tenants.ClaimDomain(r.Context(), slug, host)
	return d.Host + " is claimed: it leads nowhere before the record below is in the DNS and was found there.", err
}

func (c *console) changeDomain(_ http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	ctx, host := r.Context(), form.Text("host")
	switch form.Text("do") {
	case "verify":
		_, err := c.Tenants.VerifyDomain(ctx, slug, host)
		return host + " is the school's, and leads to it.", err
	case "primary":
		_, err := c.Tenants.SetPrimaryDomain(ctx, slug, host)
		return host + " is the primary domain.", err
	case "remove":
		return host + " does not lead to the school any more.", c.Tenants.RemoveDomain(ctx, slug, host)
	}
	return "", &tenancy.FieldError{Field: "operation", Value: form.Text("do"), Rule: "is none on a domain"}
}

func (c *console) moveDomain(_ http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	d, err := c.Tenants.MoveDomain(r.Context(), tenancy.MoveDomainParams{
		Host: form.Text("host"), From: slug, To: form.Text("to"), NewPrimary: form.Text("primary"),
	})
	return d.Host + " leads to " + form.Text("to") + " now.", err
}
