package projections

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
)

// mark is a value that is looked for, between two numbers.
type mark struct{ at, low, high string }

// bounds finds the range. The events' times are in the order of their positions, and so need no index of their own.
func (s *historySQL) bounds() {
	s.low, s.high = s.arg(min(s.q.After, math.MaxInt64-1))+"::bigint", s.arg(cmp.Or(s.q.Before, math.MaxInt64))+"::bigint"
	var times []mark
	if !s.q.From.IsZero() {
		times = append(times, s.timeMark(s.q.From))
		s.low = "greatest(" + s.low + ", (select n from times where mark = 0))"
	}
	if !s.q.To.IsZero() {
		times = append(times, s.timeMark(s.q.To))
		s.high = fmt.Sprintf("least(%s, (select n + 1 from times where mark = %d))", s.high, len(times)-1)
	}
	if len(times) > 0 {
		s.bisect("times", "position", "recorded_at", "true", times)
		s.let("bounds", fmt.Sprintf("materialized (select %s as low, %s as high)", s.low, s.high))
		s.low, s.high = "(select low from bounds)", "(select high from bounds)"
	}
}

// timeMark is looked for from where its hour begins to where the next one does. What is not yet in the index comes after
// all that is.
func (s *historySQL) timeMark(at time.Time) mark {
	value := s.arg(wholeMicros(at)) + "::timestamptz"
	hour := func(condition string) string {
		return fmt.Sprintf("(select first from %s where %s order by hour limit 1)", s.table("history_hours"), condition)
	}
	return mark{
		at:   value,
		low:  fmt.Sprintf("coalesce(%s - 1, (select max(position) from %s), 0)", hour("hour >= date_trunc('hour', "+value+", 'UTC')"), s.table("history")),
		high: fmt.Sprintf("coalesce(%s, (select max(position) from %s) + 1, 1)", hour("hour > "+value), s.table("events")),
	}
}

// wholeMicros is the first time that the store can keep which is not before at.
func wholeMicros(at time.Time) time.Time {
	if whole := at.Truncate(time.Microsecond); whole.Before(at) {
		return whole.Add(time.Microsecond)
	}
	return at
}

// bisect finds where a column that does not decrease with the number of events, be it their position or their version,
// comes to some marks: the greatest number of which it is known that the column is less, or one less than the first of
// which it is not. All marks are looked for at once. Missing rows are passed.
func (s *historySQL) bisect(name, number, column, of string, marks []mark) {
	values := make([]string, len(marks))
	for i, m := range marks {
		values[i] = fmt.Sprintf("(%d, %s, %s, %s)", i, m.at, m.low, m.high)
	}
	s.let(name+"_steps (mark, at, low, high)", fmt.Sprintf(`(
		values %[6]s
		union all
		select mark, at, case when probe.less then middle.n else low end, case when probe.less then high else middle.n end
		from %[1]s_steps cross join lateral (select (low + high) / 2 as n) middle
		left join lateral (select %[5]s < at as less from %[3]s where %[4]s and %[2]s >= middle.n order by %[2]s limit 1) probe on true
		where high - low > 1)`, name, number, s.table("events"), of, column, strings.Join(values, ", ")))
	s.let(name, fmt.Sprintf("materialized (select mark, low as n from %s_steps where high - low <= 1)", name))
}
