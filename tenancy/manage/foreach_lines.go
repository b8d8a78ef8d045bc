package manage

import (
	"io"
	"strings"
)

// maxLine is the maximum length of an output line in bytes. Longer lines are split.
const maxLine = 64 << 10

// lineWriter writes whole lines, so that the output of several tenants does not mix within a line.
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

// flush writes the rest of the output, if the last line has no newline.
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
