package main

import (
	"fmt"
	"io"
	"time"

	"gesta/projections"
)

// progress says how far a rebuild is: on a terminal in one line that changes, elsewhere in lines that
// come about once a second, and more slowly as time goes on.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	began    time.Time // the filling
	from     int64
	next     time.Time
	shown    bool
}

// How often a terminal's line changes.
const terminalEvery = 200 * time.Millisecond

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, now: time.Now}
	if o, ok := out.(*output); ok {
		p.terminal = o.isTerminal()
	}
	return p
}

func (p *progress) show(r projections.Rebuild) {
	now := p.now()
	if p.began.IsZero() {
		p.began, p.from, p.next = now, r.Position, now.Add(time.Second)
		if p.terminal {
			p.next = now
		}
	}
	if now.Before(p.next) || r.State.Ended() {
		return
	}
	took := now.Sub(p.began)
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K", p.line(r, took))
		p.next = now.Add(terminalEvery)
	} else {
		fmt.Fprintln(p.out, p.line(r, took))
		p.next = now.Add(max(time.Second, took/10))
	}
	p.shown = true
}

// line is the state, the position, how fast it goes and how long it is still going to take.
func (p *progress) line(r projections.Rebuild, took time.Duration) string {
	line := fmt.Sprintf("%s %d/%d", r.State, r.Position, r.Target)
	rate := float64(r.Position-p.from) / took.Seconds()
	if r.State != projections.Filling || took <= 0 || rate <= 0 {
		return line
	}
	left := time.Duration(float64(r.Target-r.Position) / rate * float64(time.Second))
	return fmt.Sprintf("%s, %.0f events/s, %s left", line, rate, left.Round(time.Second))
}

// end leaves the line that changed.
func (p *progress) end() {
	if p.terminal && p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
