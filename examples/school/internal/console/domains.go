package console

import (
	"net/http"

	"github.com/oryne/pgtenant/examples/school/internal/web"
	"github.com/oryne/pgtenant/tenancy"
)

// addDomain adds a domain without proof, or claims it and shows the DNS record with which the
// school proves that it owns it.
func (c *console) addDomain(_ http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	host := form.Text("host")
	if form.Text("proof") == "" {
		d, err := c.Tenants.AddDomain(r.Context(), slug, host)
		return d.Host + " leads to the school.", err
	}
	d, err := c.Tenants.ClaimDomain(r.Context(), slug, host)
	return d.Host + " is claimed. It leads to the school once the record below is in the DNS " +
		"and you have verified it.", err
}

func (c *console) changeDomain(_ http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	ctx, host := r.Context(), form.Text("host")
	switch form.Text("do") {
	case "verify":
		_, err := c.Tenants.VerifyDomain(ctx, slug, host)
		return host + " is verified and leads to the school.", err
	case "primary":
		_, err := c.Tenants.SetPrimaryDomain(ctx, slug, host)
		return host + " is the primary domain.", err
	case "remove":
		return host + " is removed. It no longer leads to the school.", c.Tenants.RemoveDomain(ctx, slug, host)
	}
	return "", &tenancy.FieldError{Field: "operation", Value: form.Text("do"), Rule: "is not an operation on a domain"}
}

func (c *console) moveDomain(_ http.ResponseWriter, r *http.Request, slug string, form web.Form) (string, error) {
	d, err := c.Tenants.MoveDomain(r.Context(), tenancy.MoveDomainParams{
		Host: form.Text("host"), From: slug, To: form.Text("to"), NewPrimary: form.Text("primary"),
	})
	return d.Host + " now leads to " + form.Text("to") + ".", err
}
