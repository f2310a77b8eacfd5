package bench

import (
	"context"
	"fmt"
	"time"

	"gesta/cmd/gesta/loadgen"
)

// coldLimit is within how many seconds gesta is to serve, with everything level.
const coldLimit = 5

// coldStarts starts gesta on a long history: after an orderly end, after a kill in the middle of changes, and
// together with a NATS.
func (l *lab) coldStarts(ctx context.Context, s *sized) error {
	// What was appended for a measure is no part of a start.
	if _, err := s.started(ctx); err != nil {
		return err
	}
	for _, m := range []struct {
		after string
		end   func(context.Context, *sized) error
	}{
		{"an orderly end", func(_ context.Context, s *sized) error { s.stop((*child).end); return nil }},
		{"a kill in the middle of changes", func(_ context.Context, s *sized) error { return s.crash() }},
		{"a restart of NATS", func(_ context.Context, s *sized) error { return s.restartNATS() }},
	} {
		if err := l.coldStart(ctx, s, m.after, m.end); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) coldStart(ctx context.Context, s *sized, after string, end func(context.Context, *sized) error) error {
	var ready, level []float64
	for range 3 {
		if err := end(ctx, s); err != nil {
			return err
		}
		began := time.Now()
		took, err := s.started(ctx)
		if err != nil {
			return err
		}
		ready, level = append(ready, took.Seconds()), append(level, time.Since(began).Seconds())
	}
	most := median(level)
	l.add(row{
		part: "growth", what: fmt.Sprintf("start at %s after %s, until relay, read models and policies are led and level", s, after),
		ours: fmt.Sprintf("%.2f s; /readyz 200 after %.2f s", most, median(ready)), ratio: most, target: atMostOf(coldLimit, "s"),
	})
	return nil
}

// started answers how long it took until /readyz was 200, and waits until all is level.
func (s *sized) started(ctx context.Context) (time.Duration, error) {
	took, err := s.start(ctx)
	if err != nil {
		return 0, err
	}
	return took, s.await(ctx)
}

// crash kills gesta while it changes things for many.
func (s *sized) crash() error {
	load, sent := s.load(s.put, 0, nil), make(chan []loadgen.Sample)
	go func() { sent <- load(time.Second) }()
	<-time.After(turn / 2)
	s.stop((*child).kill)
	if len(loadgen.Answered(<-sent, 200)) == 0 {
		return fmt.Errorf("nothing was changed before the kill")
	}
	return nil
}

// restartNATS ends both, and says what the start of NATS itself takes.
func (s *sized) restartNATS() (err error) {
	s.stop((*child).end)
	s.nats.Stop()
	began := time.Now()
	if s.nats, err = startNATS(s.dir); err != nil {
		return err
	}
	s.NATS = s.nats.URL()
	s.lab.progressf("NATS itself has started with %s messages within %s", s, millis(time.Since(began)))
	return nil
}
