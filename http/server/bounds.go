package server

import (
	"cmp"
	"math"
	"syscall"
	"time"
)

// Limits are how much the server takes on; zero stands for the default.
type Limits struct {
	Requests    int // at work at once, and as many again may wait for their turn; 128
	Connections int // open at once; 4096, and at most three in four of the files this process may open
	Bodies      int // bytes of requests' bodies held at once; 64 MiB
	Streams     int // written at once, of answers that take as long as they do; 64
	OwnStreams  int // of these, by one session; 4
}

// Times are how long things may take; zero stands for the default.
type Times struct {
	Request time.Duration // to answer, from when a request is let in; 10 s
	Wait    time.Duration // in line for that; 0.5 s
	Header  time.Duration // to send a request's header; 5 s
	Read    time.Duration // to send all of it; 15 s
	Write   time.Duration // to send it and take the answer; 30 s
	Idle    time.Duration // until a connection without a request is closed; 2 min
	Drain   time.Duration // for open requests to finish when the server stops; 15 s

	// Grace is how long a server that stops still takes new connections, so that whoever sends them
	// here can notice; none by default.
	Grace time.Duration
}

func (l Limits) orDefault() Limits {
	return Limits{
		Requests: cmp.Or(l.Requests, 128), Connections: min(cmp.Or(l.Connections, 4096), files()/4*3),
		Bodies: cmp.Or(l.Bodies, 64<<20), Streams: cmp.Or(l.Streams, 64),
		OwnStreams: cmp.Or(l.OwnStreams, 4),
	}
}

// files is how many this process may have open; the databases and listeners need some as well.
func files() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt
	}
	return int(min(limit.Cur, math.MaxInt))
}

func (t Times) orDefault() Times {
	return Times{
		Request: cmp.Or(t.Request, 10*time.Second), Wait: cmp.Or(t.Wait, 500*time.Millisecond),
		Header: cmp.Or(t.Header, 5*time.Second), Read: cmp.Or(t.Read, 15*time.Second),
		Write: cmp.Or(t.Write, 30*time.Second), Idle: cmp.Or(t.Idle, 2*time.Minute),
		Drain: cmp.Or(t.Drain, 15*time.Second), Grace: t.Grace,
	}
}
