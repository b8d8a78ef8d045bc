package manage

import (
	"fmt"
	"io"
	"time"

	"github.com/oryne/pgtenant/migrate"
)

// progress shows the progress of an operation: a bar on a terminal, else a few lines, so that the
// log of a job stays short.
type progress struct {
	w     io.Writer
	tty   bool
	what  string // "migrating"
	noun  string // "schema"
	bar   *bar
	last  time.Time // when the last line was written
	state migrate.Progress
	begun time.Time
	ended bool
}

// lineEvery is the minimum time between two lines.
const lineEvery = 10 * time.Second

func (c *call) progress(what, noun string) *progress {
	return &progress{w: c.stderr(), tty: isTerminal(c.stderr()), what: what, noun: noun, begun: time.Now()}
}

// event shows an event of a run over all schemas.
func (p *progress) event(e migrate.Event) {
	if e.Kind == migrate.EventFinished && e.Result.Err != nil && e.Result.Outcome != migrate.NotStarted {
		p.linef("%s: %s", e.Result.Schema, sentence(e.Result.Err))
	}
	p.update(e.Progress)
}

// of shows a count, for work that reports no [migrate.Progress].
func (p *progress) of(done, total, failed int) {
	p.update(migrate.Progress{Done: done, Total: total, Failed: failed, Elapsed: time.Since(p.begun)})
}

func (p *progress) update(state migrate.Progress) {
	if state.Total == 0 {
		return
	}
	first := p.state.Total == 0
	p.state = state
	if first && p.tty {
		p.bar = &bar{w: p.w}
	}
	if p.bar != nil {
		p.bar.set(p.text(), state.Done, state.Total)
		return
	}
	if now := time.Now(); first || now.Sub(p.last) >= lineEvery {
		p.last = now
		p.linef("%s", p.text())
	}
}

// text returns the state in words, with the rate and the remaining time.
func (p *progress) text() string {
	s := p.state
	text := fmt.Sprintf("%s %d of %s", p.what, s.Done, count(s.Total, p.noun))
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	if rate := s.Rate(); rate > 0 && s.Done > 0 {
		text += fmt.Sprintf(", %.1f/s", rate)
	}
	if eta := s.ETA(); eta > 0 {
		text += fmt.Sprintf(", %s left", eta.Round(time.Second))
	}
	return text
}

// linef writes a line above the bar, if there is a bar.
func (p *progress) linef(format string, args ...any) {
	p.above(func() { fmt.Fprintln(p.w, clean(fmt.Sprintf(format, args...))) })
}

// above removes the bar, calls write, and draws the bar again. write may write to any stream.
func (p *progress) above(write func()) {
	if p.bar == nil || p.ended {
		write()
		return
	}
	p.bar.clear()
	write()
	p.bar.draw()
}

// end removes the bar.
func (p *progress) end() {
	if p.ended {
		return
	}
	p.ended = true
	if p.bar != nil {
		p.bar.clear()
	}
}
