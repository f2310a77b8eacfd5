package demo

import (
	"strings"
	"testing"
	"time"

	"gesta/domain/crm"
	"gesta/domain/reference"
	"gesta/domain/value"
	"gesta/http/promenade"
)

// On whatever day it is put in, all of it is over, one thing after the other, and enough has happened in each month.
func TestEveryDayHasAPast(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 366 + 31 {
		today := first.AddDate(0, 0, n)
		p := newPlan(today)
		if p.joined != accounts || len(p.staff) != 27 {
			t.Errorf("%s: %d customers have accounts, and %d people work there", today, p.joined, len(p.staff))
		}
		months := map[string]int{}
		for _, s := range append(p.hiring, p.steps...) {
			months[s.at.Format("2006-01")]++
			if !s.at.Before(today) || s.at.Before(today.AddDate(0, 0, -days)) {
				t.Fatalf("%s: something happens at %s", today, s.at)
			}
		}
		for at := today.AddDate(0, 0, 31-days); at.Before(today.AddDate(0, 0, -31)); at = at.AddDate(0, 0, 28) {
			if in := months[at.Format("2006-01")]; in < 30 {
				t.Errorf("%s: %d things happen in %s", today, in, at)
			}
		}
	}
}

// Of each thing's steps no two are at the same time: that tells which were taken.
func TestStepsFollowEachOther(t *testing.T) {
	t.Parallel()
	p := newPlan(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	last := map[int]time.Time{}
	for _, steps := range [][]step{p.hiring, p.steps} {
		clear(last)
		for _, s := range steps {
			if !s.at.After(last[s.lane]) {
				t.Errorf("%d: %s after %s", s.lane, s.at, last[s.lane])
			}
			last[s.lane] = s.at
		}
	}
}

// What stands here is what everybody would have to say.
func TestWhatIsSaidIsWellFormed(t *testing.T) {
	t.Parallel()
	p := newPlan(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	for _, s := range p.staff {
		_, err1 := value.ParseE164(string(s.number))
		_, err2 := reference.ParseTimeZone(string(s.zone))
		_, err3 := reference.ParseLanguage(string(s.language))
		_, err4 := reference.ParseCountry(string(s.country))
		email, err5 := value.ParseEmail(s.email)
		for _, err := range []error{err1, err2, err3, err4, err5} {
			if err != nil || string(email) != s.email {
				t.Errorf("%s, %s: %v", s.name(), s.email, err)
			}
		}
	}
	for _, all := range [][]choice{sources, tiers, labels, reasons} {
		sum := 0
		for _, c := range all {
			sum += c.share
		}
		if sum != 100 {
			t.Errorf("%v are %d", all, sum)
		}
	}
	for _, c := range labels {
		if tag, err := crm.ParseTag(c.word); err != nil || string(tag) != c.word {
			t.Errorf("%s: %v", c.word, err)
		}
	}
	if _, err := promenade.Realm().ParsePassword(Password); err != nil || promenade.Realm().Name != realm {
		t.Error(err)
	}
	for _, l := range []Login{Admin, SuperAdmin} {
		if email, err := value.ParseEmail(string(l.Email)); err != nil || email != l.Email || !strings.HasSuffix(string(email), home) {
			t.Errorf("%s: %v", l.Email, err)
		}
	}
}
