package natsembed

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// logger passes on what somebody should look at. What the server can't live with is kept besides,
// since Start answers it as an error.
type logger struct {
	log   *slog.Logger
	mu    sync.Mutex
	first string
}

func newLogger(log *slog.Logger) *logger {
	if log == nil {
		log = slog.Default()
	}
	return &logger{log: log.With("component", "nats")}
}

// Warnf leaves out the one about plain passwords: a guard's are random and never leave this process.
func (l *logger) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Plaintext passwords") {
		l.log.Warn(fmt.Sprintf(format, v...))
	}
}
func (l *logger) Errorf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
func (l *logger) Noticef(string, ...any)         {}
func (l *logger) Debugf(string, ...any)          {}
func (l *logger) Tracef(string, ...any)          {}

// Fatalf keeps the first message: the others follow from it.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == "" {
		l.first = fmt.Sprintf(format, v...)
	}
}

func (l *logger) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}
