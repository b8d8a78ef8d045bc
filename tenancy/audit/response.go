package audit

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// response remembers the status of a response. What else the server's writer can do is found
// through Unwrap, by http.ResponseController; Flush and Hijack are here for those who ask for the
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

// Unwrap returns the writer below.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header.
func (w *response) WriteHeader(status int) {
	// others come before the final one
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

// ReadFrom sends a part of the body, from a file without a copy where the server can.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	w.begun()
	return io.Copy(w.ResponseWriter, r)
}

// Flush sends what is buffered, where the server can.
func (w *response) Flush() {
	w.begun()
	_ = http.NewResponseController(w.ResponseWriter).Flush() // the interface has no error
}

// Hijack takes the connection over, where the server can; else it is [http.ErrNotSupported].
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

// final returns the status that the client got. A handler that has not returned has panicked, and
// where it had sent nothing the client got no answer.
func (w *response) final(served bool) int {
	switch {
	case !served && w.status < http.StatusInternalServerError:
		return http.StatusInternalServerError
	case w.status == 0:
		return http.StatusOK
	}
	return w.status
}
