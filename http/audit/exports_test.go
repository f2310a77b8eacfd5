package audit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gesta/http/audit"
)

// measured takes what is written, and looks now and then how much memory there is.
type measured struct {
	header     http.Header
	lines, all int
	looked     int
	heap       uint64
}

func (m *measured) Header() http.Header { return m.header }
func (m *measured) WriteHeader(int)     {}
func (m *measured) Flush()              {}
func (m *measured) Write(p []byte) (int, error) {
	m.lines += strings.Count(string(p), "\n")
	if m.all += len(p); m.all-m.looked > 20<<20 {
		m.looked = m.all
		m.heap = max(m.heap, heap())
	}
	return len(p), nil
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// unheard records so many events of 4 KB each, and answers what asks for an export of them.
func (d *desk) unheard(n int) *http.Request {
	d.Helper()
	d.exec(fmt.Sprintf(`insert into events select n + (select max(position) from events), 'unheard.of', md5(n::text)::uuid, 1, gen_random_uuid(),
		'unheard.of.thing', 1, json_build_object('note', repeat('x', 4000)), null, json_build_object('realm', 'audit'), now(), now() from generate_series(1, %d) n`, n))
	d.level()
	call := d.as(audit.Officer, "GET", "/events?type=unheard.*")
	r := httptest.NewRequest(call.Method, call.Path, nil)
	r.Header.Set("Authorization", "Bearer "+call.Token)
	r.Header.Set("Accept", asLines)
	return r
}

// watched does something ahead of each piece that is written.
type watched struct {
	measured
	each func()
}

func (w *watched) Write(p []byte) (int, error) { w.each(); return w.measured.Write(p) }

// breaksOff answers an export until it is broken off, which it must be before its end.
func (d *desk) breaksOff(r *http.Request, n int, each func()) {
	d.Helper()
	w := &watched{measured{header: http.Header{}}, each}
	defer func() {
		d.Helper()
		if broken := recover(); broken != http.ErrAbortHandler || w.lines == 0 || w.lines >= n {
			d.Errorf("%d lines, and then %v", w.lines, broken)
		}
	}()
	d.client.Handler.ServeHTTP(w, r)
}

// An export that its client, or the server, ends is not taken for whole.
func TestAnExportThatEndsEarlyIsBrokenOff(t *testing.T) {
	t.Parallel()
	d := start(t)
	ctx, leave := context.WithCancel(t.Context())
	d.breaksOff(d.unheard(3000).WithContext(ctx), 3000, leave)
}

// An export does not outlive its session, however slowly it is taken.
func TestAnExportEndsWithItsSession(t *testing.T) {
	t.Parallel()
	d := start(t)
	signOut := sync.OnceFunc(func() { d.client.Do(t, d.as(audit.Officer, "DELETE", "/sessions")) })
	d.breaksOff(d.unheard(5000), 5000, func() {
		signOut()
		time.Sleep(20 * time.Millisecond) // It is a slow client: all would take him 6 seconds.
	})
}

// An export of 200 MB takes no more memory than one of 20.
func TestAnExportTakesNoMoreMemoryTheLongerItIs(t *testing.T) {
	d := start(t)
	r := d.unheard(50_000)
	before, w := heap(), &measured{header: http.Header{}}
	d.client.Handler.ServeHTTP(w, r)
	if w.lines != 50_000 || w.all < 200<<20 || w.heap > before+60<<20 {
		t.Errorf("%d events of %d MB in all, %d MB of memory more", w.lines, w.all>>20, (int64(w.heap)-int64(before))>>20)
	}
	t.Logf("%d MB in all, %d MB of memory more", w.all>>20, (int64(w.heap)-int64(before))>>20)
}
