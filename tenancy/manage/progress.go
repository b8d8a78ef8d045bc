package manage

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/oryne/pgtenant/migrate"
)

// progress shows how far work has come: as a bar on a terminal, else as lines, few enough for the
// log of a job.
type progress struct {
	w     io.Writer
	tty   bool
	what  string // "migrating"
	noun  string // "schema"
	bar   *progressbar.ProgressBar
	last  time.Time // when the last line was written
	state migrate.Progress
	begun time.Time
	ended bool
}

// lineEvery is how often there is a line.
const lineEvery = 10 * time.Second

// barWidth is that of the bar alone, in columns: with the numbers beside it it fits into 80.
const barWidth = 16

func (c *call) progress(what, noun string) *progress {
	return &progress{w: c.stderr(), tty: isTerminal(c.stderr()), what: what, noun: noun, begun: time.Now()}
}

// draw makes the bar, when it is known how long it is.
func (p *progress) draw(total int) {
	p.bar = progressbar.NewOptions(
		total,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSetPredictTime(false), // the run knows its own rate
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetTheme(
			progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"},
		),
	)
}

// event follows a run over a fleet.
func (p *progress) event(e migrate.Event) {
	if e.Kind == migrate.EventFinished && e.Result.Err != nil && e.Result.Outcome != migrate.NotStarted {
		p.linef("%s: %s", e.Result.Schema, sentence(e.Result.Err))
	}
	p.update(e.Progress)
}

// of counts what has been done, where nobody else does.
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
		p.draw(state.Total)
	}
	if p.bar != nil {
		p.bar.Describe(p.text())
		p.bar.ChangeMax(state.Total)
		_ = p.bar.Set(min(state.Done, state.Total)) // a bar that cannot be drawn must not stop the work
		return
	}
	if now := time.Now(); first || now.Sub(p.last) >= lineEvery {
		p.last = now
		p.linef("%s", p.text())
	}
}

// text is the state in words, with rate and time left.
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

// linef writes a line of its own, above the bar where there is one.
func (p *progress) linef(format string, args ...any) {
	p.above(func() { fmt.Fprintln(p.w, clean(fmt.Sprintf(format, args...))) })
}

// above writes above the bar, on whatever stream.
func (p *progress) above(write func()) {
	if p.bar == nil || p.ended {
		write()
		return
	}
	_ = p.bar.Clear()
	write()
	_ = p.bar.RenderBlank()
}

// end takes the bar away.
func (p *progress) end() {
	if p.ended {
		return
	}
	p.ended = true
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
	}
}
