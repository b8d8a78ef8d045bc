package manage

import (
	"io"
	"strings"
)

// maxLine is where a line of a command's output is cut into two.
const maxLine = 64 << 10

// lineWriter writes whole lines, so that those of several tenants do not mix.
type lineWriter struct {
	e            *each
	slug, stream string
	rest         []byte
}

func (e *each) lines(slug, stream string) *lineWriter {
	return &lineWriter{e: e, slug: slug, stream: stream}
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for n, b := range p {
		if b != '\n' && len(w.rest) < maxLine {
			w.rest = append(w.rest, b)
			continue
		}
		if err := w.line(); err != nil {
			return n, err
		}
		if b != '\n' {
			w.rest = append(w.rest, b)
		}
	}
	return len(p), nil
}

// flush writes what had no end of a line.
func (w *lineWriter) flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	return w.line()
}

func (w *lineWriter) line() error {
	text := strings.TrimSuffix(string(w.rest), "\r")
	w.rest = w.rest[:0]
	w.e.mu.Lock()
	defer w.e.mu.Unlock()
	if w.e.json {
		return w.e.value(outputJSON{"output", w.slug, w.stream, text})
	}
	out := w.e.w
	if w.stream == "stderr" {
		out = w.e.stderr()
	}
	_, err := io.WriteString(out, w.slug+" | "+text+"\n")
	return err
}
