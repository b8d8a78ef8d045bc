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
	Failed bool   // of something that did not work
	Text   string // for people
	Secret string // shown once, beside the text
}

const (
	flashCookie  = "flash"
	flashPurpose = tenanttoken.Purpose("school.flash")
	flashTTL     = time.Minute
	maxFlash     = 1000 // bytes of a text: a cookie has room for more
)

// Redirect sends the browser to a page of this host, with a message. It is how each posted form
// ends, so that a page that is loaded again posts nothing again.
func (k *Kit) Redirect(w http.ResponseWriter, r *http.Request, path string, f Flash) {
	if f.Text != "" {
		if len(f.Text) > maxFlash {
			f.Text = strings.ToValidUTF8(f.Text[:maxFlash], "") + "…"
		}
		kind := "done"
		if f.Failed {
			kind = "failed"
		}
		token, err := k.signer.Sign(tenanttoken.Token{
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

// flash takes the message that is there, if we have written it for this site.
func (k *Kit) flash(w http.ResponseWriter, r *http.Request) *Flash {
	values := Cookies(r, flashCookie)
	if len(values) == 0 {
		return nil
	}
	ClearCookie(w, r, flashCookie)
	for _, value := range values {
		token, err := k.signer.Verify(flashPurpose, value)
		if err != nil || token.Tenant != siteID(r) {
			continue // another host's
		}
		kind, rest, _ := strings.Cut(token.Value, "\n")
		secret, text, _ := strings.Cut(rest, "\n")
		return &Flash{Failed: kind == "failed", Secret: secret, Text: text}
	}
	return nil
}

// siteID is the tenant whose site r is on, 0 for the platform's.
func siteID(r *http.Request) int64 {
	if t, ok := tenancy.FromContext(r.Context()); ok {
		return t.ID
	}
	return 0
}
