package manage

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	// barWidth is the width of the bar in columns. Together with the numbers beside it, it fits into
	// 80 columns.
	barWidth = 16

	// drawEvery is the minimum time between two draws, except for that of the complete state.
	drawEvery = 100 * time.Millisecond

	eraseLine = "\r\x1b[2K"
)

// bar is a progress bar on the last line of a terminal. An error of the terminal must not stop the
// work, so it is ignored.
type bar struct {
	w           io.Writer
	text        string
	done, total int
	drawn       time.Time
}

// set changes the state. It draws the first and the complete state, and others at most every
// [drawEvery].
func (b *bar) set(text string, done, total int) {
	b.text, b.done, b.total = text, min(done, total), total
	if b.done == total || time.Since(b.drawn) >= drawEvery {
		b.draw()
	}
}

func (b *bar) draw() {
	b.drawn = time.Now()
	_, _ = io.WriteString(b.w, eraseLine+b.line(b.columns()))
}

func (b *bar) clear() { _, _ = io.WriteString(b.w, eraseLine) }

// columns returns the width of the terminal, or 0 if it is not known.
func (b *bar) columns() int {
	f, ok := b.w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// line returns the state as text, percentage, bar and numbers. It is shorter than limit columns,
// because a longer line would wrap and could not be erased. 0 is no limit. The total must not be 0.
func (b *bar) line(limit int) string {
	filled := barWidth * b.done / b.total
	cells := strings.Repeat("=", filled)
	if filled > 0 && filled < barWidth {
		cells = cells[:filled-1] + ">"
	}
	line := []rune(fmt.Sprintf("%s %3d%% [%-*s] (%d/%d)",
		b.text, 100*b.done/b.total, barWidth, cells, b.done, b.total))
	if limit > 0 && len(line) >= limit {
		line = line[:limit-1]
	}
	return string(line)
}
