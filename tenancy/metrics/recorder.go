package metrics

import (
	"io"
	"net/http"
)

// recorder records the status of a response.
type recorder struct {
	http.ResponseWriter
	status  int  // 0: not sent yet
	planned bool // a status of 500 or above counts as maintenance and not as a server error
}

// plan marks the response as planned.
func (w *recorder) plan() { w.planned = true }

// plan marks the response of the recorder that w is or wraps.
func plan(w http.ResponseWriter) {
	for w != nil {
		if r, ok := w.(interface{ plan() }); ok {
			r.plan()
			return
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = u.Unwrap()
	}
}

// WriteHeader implements [http.ResponseWriter]. It does not record an informational status (1xx),
// because the final one follows. Only 101 is final.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Handlers find the optional interfaces of a ResponseWriter by type assertion. These types have the
// same ones as the writers of net/http for HTTP/1 and HTTP/2, and as the recorder of httptest.
type (
	flusher struct {
		*recorder
		http.Flusher
	}
	http1 struct {
		*recorder
		http.Flusher
		http.Hijacker
		io.ReaderFrom
	}
	http2 struct {
		*recorder
		http.Flusher
		http.Pusher
	}
)

// wrap returns the recorder with the optional interfaces of the writer that it wraps.
func (w *recorder) wrap() http.ResponseWriter {
	f, flushes := w.ResponseWriter.(http.Flusher)
	if !flushes {
		return w
	}
	if h, ok := w.ResponseWriter.(http.Hijacker); ok {
		if r, ok := w.ResponseWriter.(io.ReaderFrom); ok {
			return http1{w, f, h, r}
		}
	}
	if p, ok := w.ResponseWriter.(http.Pusher); ok {
		return http2{w, f, p}
	}
	return flusher{w, f}
}
