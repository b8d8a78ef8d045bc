package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/oryne/pgtenant/tenancy"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

// Flash is a message for the page that follows a redirect.
type Flash struct {
	Failed bool   // the operation failed
	Text   string // the text of the message
	Secret string // shown once, after the text
}

const (
	flashCookie  = "flash"
	flashPurpose = tenanttoken.Purpose("school.flash")
	flashTTL     = time.Minute
	maxFlash     = 1000 // bytes of the text; a cookie can hold more
)

// Redirect sends the browser to a page of this host, with a message. Every posted form ends with
// it, so that reloading the page does not post the form again.
func (rd *Renderer) Redirect(w http.ResponseWriter, r *http.Request, path string, f Flash) {
	if f.Text != "" {
		if len(f.Text) > maxFlash {
			f.Text = strings.ToValidUTF8(f.Text[:maxFlash], "") + "…"
		}
		kind := "done"
		if f.Failed {
			kind = "failed"
		}
		token, err := rd.signer.Sign(tenanttoken.Token{
			Purpose: flashPurpose,
			Tenant:  siteID(r),
			Value:   strings.Join([]string{kind, f.Secret, f.Text}, "\n"),
			Expires: time.Now().Add(flashTTL),
		})
		if err == nil {
			SetCookie(w, r, flashCookie, token, flashTTL)
		}
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// flash returns the message of the request and deletes its cookie. It returns nil if there is none
// that was signed for this site.
func (rd *Renderer) flash(w http.ResponseWriter, r *http.Request) *Flash {
	values := Cookies(r, flashCookie)
	if len(values) == 0 {
		return nil
	}
	ClearCookie(w, r, flashCookie)
	for _, value := range values {
		token, err := rd.signer.Verify(flashPurpose, value)
		if err != nil || token.Tenant != siteID(r) {
			continue // of another host
		}
		kind, rest, _ := strings.Cut(token.Value, "\n")
		secret, text, _ := strings.Cut(rest, "\n")
		return &Flash{Failed: kind == "failed", Secret: secret, Text: text}
	}
	return nil
}

// siteID returns the id of the tenant of r, or 0 for the platform's site.
func siteID(r *http.Request) int64 {
	if t, ok := tenancy.FromContext(r.Context()); ok {
		return t.ID
	}
	return 0
}
