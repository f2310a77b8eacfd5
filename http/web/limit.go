package web

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gesta/domain"
)

// Limit is how often somebody may use a row; the zero Limit is none.
type Limit struct {
	Requests int
	Per      time.Duration
}

// Limiter counts the requests of each address to each row in fixed windows, and the failed tries at each account.
type Limiter struct {
	Limits  Limits
	Counter Counter // not asked where there are no limits
	Now     func() time.Time

	limited, uncounted *prometheus.CounterVec // nil where nobody looks
}

// Whom a limit counts.
const (
	byAddress = "address"
	byAccount = "account"
)

// errTooMany refuses whoever asks too often.
var errTooMany = &domain.Fault{Kind: domain.TooMany, Code: "rate_limit_exceeded", Text: "too many requests"}

// guard answers a request unless its address has asked too often.
func (l *Limiter) guard(r *Request, answer func(*Request) (Answer, error)) (a Answer, err error) {
	if len(l.Limits) > 0 {
		r.left, err = l.count(r, byAddress, l.Limits[r.surface.row(r.route)], house(r.echo.RealIP()))
	}
	if err == nil {
		a, err = answer(r)
	}
	r.left.tell(r.echo.Response().Header())
	return a, err
}

// try acts on a request, once it is known who asks, unless the account whose secret it presents was tried too often.
// An account counts while a try is under way, so that no crowd of tries slips through, and afterwards only if the
// secret was wrong: who knows it is not kept out by using it.
func (l *Limiter) try(r *Request, act func(*Request) (Answer, error)) (a Answer, err error) {
	account, err := l.countAccount(r)
	guessed := false
	defer func() {
		if !guessed {
			l.giveBack(r, &account)
		}
		r.left = tighter(r.left, account)
	}()
	if err == nil {
		a, err = act(r)
		guessed = isGuess(err)
	}
	return a, err
}

func isGuess(err error) bool {
	var f *domain.Fault
	return errors.As(err, &f) && f.Guess
}

// countAccount counts nothing where no account is named.
func (l *Limiter) countAccount(r *Request) (tally, error) {
	account := r.route.Handler.account
	if account == nil || len(l.Limits) == 0 {
		return tally{}, nil
	}
	name := account(r)
	if name == "" {
		return tally{}, nil
	}
	return l.count(r, byAccount, l.Limits.account(r.surface.row(r.route)), name)
}

// count lets pass what can't be counted at the moment.
func (l *Limiter) count(r *Request, by string, limit Limit, who string) (t tally, err error) {
	if limit.Requests == 0 {
		return t, nil
	}
	now := l.Now()
	t = tally{key: r.surface.row(r.route) + " " + by + " " + who, limit: limit, ends: now.Truncate(limit.Per).Add(limit.Per)}
	if t.used, err = l.Counter.Add(r.ctx, t.key, 1, t.ends); err != nil {
		l.noteUncounted(err)
		return tally{}, nil
	}
	if t.used <= limit.Requests {
		return t, nil
	}
	l.noteLimited(r, by)
	refusal := *errTooMany
	refusal.Retry = t.ends.Sub(now)
	return t, &refusal
}

// giveBack takes a try back. What can't be taken back is gone when the window ends.
func (l *Limiter) giveBack(r *Request, t *tally) {
	if t.limit.Requests == 0 {
		return
	}
	t.used--
	if _, err := l.Counter.Add(r.ctx, t.key, -1, t.ends); err != nil {
		l.noteUncounted(err)
	}
}

// Observe makes what is refused, and what could not be counted, metrics.
func (l *Limiter) Observe(metrics prometheus.Registerer) {
	l.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gesta_rate_limited_total", Help: "Requests refused because somebody had asked too often, by row and by what was counted.",
	}, []string{"surface", "method", "route", "by"})
	l.uncounted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gesta_rate_limit_uncounted_total", Help: "Counts that rate limits had to do without, by why.",
	}, []string{"reason"})
	metrics.MustRegister(l.limited, l.uncounted)
}

func (l *Limiter) noteLimited(r *Request, by string) {
	if l.limited != nil {
		l.limited.WithLabelValues(r.surface.Name, r.route.Method, r.route.Path, by).Inc()
	}
}

func (l *Limiter) noteUncounted(err error) {
	reason := Uncounted("failed")
	errors.As(err, &reason)
	if l.uncounted != nil {
		l.uncounted.WithLabelValues(string(reason)).Inc()
	}
}
