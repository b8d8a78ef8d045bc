package web

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/oryne/pgtenant/tenancy/tenanthttp"
	"github.com/oryne/pgtenant/tenancy/tenanttoken"
)

//go:embed layout.html refused.html style.css icon.svg
var files embed.FS

// Renderer renders the pages of one site. It is safe for concurrent use.
type Renderer struct {
	pages  map[string]*template.Template
	signer *tenanttoken.Signer
	logger *slog.Logger
}

// NewRenderer parses the templates: the pages, *.html at the root of pages, and their common parts,
// parts/*.html. Each page defines "main" for the layout.
func NewRenderer(pages fs.FS, signer *tenanttoken.Signer, logger *slog.Logger) (*Renderer, error) {
	layout, err := template.New("layout.html").Funcs(funcs).ParseFS(files, "layout.html")
	if err != nil {
		return nil, err
	}
	if parts, err := fs.Glob(pages, "parts/*.html"); err != nil {
		return nil, err
	} else if len(parts) > 0 {
		if layout, err = layout.ParseFS(pages, parts...); err != nil {
			return nil, err
		}
	}
	names, err := fs.Glob(pages, "*.html")
	if err != nil {
		return nil, err
	}
	rd := &Renderer{pages: make(map[string]*template.Template), signer: signer, logger: logger}
	for _, name := range names {
		if name == "layout.html" {
			continue // part of this package
		}
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(pages, name)
		}
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		rd.pages[strings.TrimSuffix(name, path.Ext(name))] = t
	}
	return rd, nil
}

// Page holds the data of a page and of the layout around it.
type Page struct {
	Title  string
	Site   string // the heading, so that users do not confuse two schools
	Where  string // below the heading: the host
	Accent string // the class of the site's colour, see [Accent]
	Nav    []Link
	Who    string // the logged-in user
	Logout string // the path that logs out
	Data   any
	Flash  *Flash // set by Render
}

// Link is a link of the navigation.
type Link struct {
	Path, Text string
	Here       bool
}

// Render answers with a page. It renders the whole page first, so that an error does not leave half
// a page.
func (rd *Renderer) Render(w http.ResponseWriter, r *http.Request, status int, name string, p Page) {
	p.Flash = rd.flash(w, r)
	for i, l := range p.Nav {
		p.Nav[i].Here = l.Path == r.URL.Path
	}
	var body bytes.Buffer
	if err := rd.pages[name].ExecuteTemplate(&body, "layout.html", p); err != nil {
		rd.Broken(w, r, fmt.Errorf("page %s: %w", name, err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // an error means that the client has disconnected
}

// Broken answers a request that failed because of the program or the database, and logs the error.
// The answer can say that nothing was changed, so a request that changes something must be one
// transaction. For several transactions, use BrokenOff.
func (rd *Renderer) Broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		rd.logger.ErrorContext(r.Context(), "page failed", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	p, away := tenanthttp.UnavailableProblem(r, err)
	if !away {
		p = tenanthttp.Problem{
			Status: http.StatusServiceUnavailable, RetryAfter: brokenFor,
			Detail: "This page cannot be shown now. Try again soon.",
		}
	}
	p.Respond(w)
}

const brokenFor = 5 * time.Second

// BrokenOff answers a request that changes something in several steps and has failed. Some of the
// steps may be done.
func (rd *Renderer) BrokenOff(w http.ResponseWriter, r *http.Request, err error) {
	rd.logger.ErrorContext(r.Context(), "change failed", slog.String("path", r.URL.Path), slog.Any("error", err))
	tenanthttp.Problem{
		Status: http.StatusServiceUnavailable, RetryAfter: brokenFor,
		Detail: "The change was interrupted. It may have been made in part or completely. Check before you try again.",
	}.Respond(w)
}

// accents is the number of colours in the style sheet.
const accents = 6

// Accent returns the CSS class of a site's colour. A site always has the same colour, and two sites
// usually have different ones.
func Accent(slug string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(slug))
	return fmt.Sprintf("accent-%d", h.Sum32()%accents)
}

// Static serves the style sheet and the icon. Only they may be cached.
func Static() http.Handler {
	mux := http.NewServeMux()
	for _, name := range []string{"style.css", "icon.svg"} {
		mux.HandleFunc("GET /static/"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=300")
			http.ServeFileFS(w, r, files, name)
		})
	}
	return mux
}
