package audit

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// response records the status of a response. http.ResponseController finds other abilities of the
// server's writer through Unwrap. Flush, Hijack and ReadFrom are here for callers that use the
// interfaces.
type response struct {
	http.ResponseWriter
	status int // 0: nothing was sent yet
}

var (
	_ http.Flusher  = (*response)(nil)
	_ http.Hijacker = (*response)(nil)
	_ io.ReaderFrom = (*response)(nil)
)

// Unwrap returns the wrapped writer.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header.
func (w *response) WriteHeader(status int) {
	// informational responses precede the final one
	if w.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *response) Write(b []byte) (int, error) {
	w.begun()
	return w.ResponseWriter.Write(b)
}

// ReadFrom sends a part of the body; the server can send a file without copying it.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	w.begun()
	return io.Copy(w.ResponseWriter, r)
}

// Flush sends buffered data if the server supports that.
func (w *response) Flush() {
	w.begun()
	_ = http.NewResponseController(w.ResponseWriter).Flush() // the interface has no error
}

// Hijack takes over the connection. If the server does not support that, the error is
// [http.ErrNotSupported].
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

func (w *response) begun() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// final returns the status that the client received. If the handler did not return, it panicked;
// the client then got no response unless one had been sent.
func (w *response) final(served bool) int {
	switch {
	case !served && w.status < http.StatusInternalServerError:
		return http.StatusInternalServerError
	case w.status == 0:
		return http.StatusOK
	}
	return w.status
}
