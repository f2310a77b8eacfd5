package projections

import (
	"fmt"
	"strconv"
	"strings"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/eventstore/postgres"
)

// historySQL is what a question becomes. Positions are found in one index, chosen by what is asked for: that of
// correlations, that of the stream, that of actors, or that of classes. The latter two are read class by class, and what
// they have is merged, so that it takes no longer to find events the fewer there are. Where no index has all that is
// asked for, what the chosen one has is looked at row by row: the events of one request, or of one stream.
type historySQL struct {
	History
	q     HistoryQuery
	args  []any
	with  []string
	low   string // what positions are greater than
	high  string // and less than
	limit string

	ofClass []string // what is asked of classes
}

// sql finds the positions first, and looks only at the rows of these, one by one.
func (h History) sql(q HistoryQuery, limit int) (string, []any) {
	s := &historySQL{History: h, q: q}
	s.limit = s.arg(limit) + "::bigint"
	s.bounds()
	s.ofClass = s.classConditions()
	found := s.found()
	return fmt.Sprintf(`with recursive %s found as materialized (%s)
		select e.* from found cross join lateral (select %s from %s where position = found.position offset 0) e order by e.position %s`,
		strings.Join(s.with, ""), found, postgres.EventColumns, s.table("events"), s.direction()), s.args
}

func (s *historySQL) arg(value any) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args))
}

// let names the answer to a question that is asked once.
func (s *historySQL) let(name, sql string) {
	s.with = append(s.with, name+" as "+sql+",\n")
}

func (s *historySQL) direction() string {
	if s.q.Descending {
		return "desc"
	}
	return "asc"
}

// page puts what a question finds in order, and leaves the first.
func (s *historySQL) page(sql, by string) string {
	return fmt.Sprintf("(%s order by %s %s limit %s)", sql, by, s.direction(), s.limit)
}

// between is the condition that a position is in the range that is asked for.
func (s *historySQL) between(position string) string {
	return fmt.Sprintf("%[1]s > %[2]s and %[1]s < %[3]s", position, s.low, s.high)
}

// found answers the positions of the page.
func (s *historySQL) found() string {
	q := s.q
	switch {
	case !q.related.IsZero():
		of := s.uuid(q.related)
		return s.merged("correlation = "+of, s.strayRequest(of))
	case !q.Request.IsZero():
		of := s.uuid(q.Request)
		return s.merged("correlation = "+of+" and request = "+of, s.strayRequest(of))
	case !q.Correlation.IsZero():
		return s.merged("correlation = " + s.uuid(q.Correlation))
	case q.Stream != (domain.Stream{}):
		return s.ofStream()
	case s.individual() != id.ID{}:
		s.let("classes", s.classes())
		return s.ofEachClass("h.actor = "+s.uuid(s.individual()), s.limit)
	case len(s.ofClass) > 0:
		return s.byClasses()
	}
	return s.page("select position from "+s.table("events")+" where "+s.between("position"), "position")
}

// strayRequest are the events of a request that have another correlation.
func (s *historySQL) strayRequest(of string) string {
	return "request = " + of + " and request is not null and request is distinct from correlation"
}

// merged are rows of which one of some conditions holds, each of which has an index, and no two of which hold at once.
func (s *historySQL) merged(conditions ...string) string {
	rest := s.rest()
	var all []string
	for _, c := range conditions {
		all = append(all, s.page(fmt.Sprintf("select h.position from %s h %s where %s and %s %s",
			s.table("history"), s.inStream(), c, s.between("h.position"), rest), "h.position"))
	}
	return s.page("select position from ("+strings.Join(all, " union all ")+") merged", "position")
}

// inStream looks each row up among the events, where a stream is asked for.
func (s *historySQL) inStream() string {
	if s.q.Stream == (domain.Stream{}) {
		return ""
	}
	return fmt.Sprintf("cross join lateral (select from %s e where e.position = h.position and %s offset 0) of_stream", s.table("events"), s.stream())
}

func (s *historySQL) stream() string {
	return fmt.Sprintf("stream_id = %s and stream_kind = %s", s.uuid(s.q.Stream.ID), s.arg(s.q.Stream.Kind))
}

// ofStream follows the versions of a stream, from the one with which the range begins.
func (s *historySQL) ofStream() string {
	of := s.stream()
	versions := of + " and " + s.between("e.position")
	var ends []mark
	end := func(at string) mark {
		return mark{at, "0::bigint", fmt.Sprintf("coalesce((select version from %s where %s order by version desc limit 1), 0) + 1", s.table("events"), of)}
	}
	if s.q.After > 0 || !s.q.From.IsZero() {
		ends = append(ends, end(s.low+" + 1"))
		versions += " and version > (select n from ends where mark = 0)"
	}
	if s.q.Before > 0 || !s.q.To.IsZero() {
		ends = append(ends, end(s.high))
		versions += fmt.Sprintf(" and version <= (select n from ends where mark = %d)", len(ends)-1)
	}
	if len(ends) > 0 {
		s.bisect("ends", "version", "position", of, ends)
	}
	looked := ""
	if rest := s.rest(); rest != "" {
		looked = fmt.Sprintf("cross join lateral (select from %s h where h.position = e.position %s offset 0) looked", s.table("history"), rest)
	}
	return s.page(fmt.Sprintf("select e.position from %s e %s where %s", s.table("events"), looked, versions), "version")
}

// rest is what else is asked of a row.
func (s *historySQL) rest() string {
	rest := ""
	if !s.q.Correlation.IsZero() && (!s.q.Request.IsZero() || !s.q.related.IsZero()) {
		rest += " and h.correlation = " + s.uuid(s.q.Correlation)
	}
	if actor := s.individual(); actor != (id.ID{}) {
		rest += " and h.actor = " + s.uuid(actor)
	}
	if len(s.ofClass) > 0 {
		s.let("classes", s.classes())
		rest += " and h.class = any(array(select class from classes))"
	}
	return rest
}

// byClasses looks at a few rows of each class first. Where these are a page, nothing beyond the last of them is on it: so
// it does not read a page of each of a hundred classes.
func (s *historySQL) byClasses() string {
	const indexed = "h.class > 0" // As the index says.
	last, within := "max(position)", "h.position <= coalesce((select n from far), 9223372036854775807)"
	if s.q.Descending {
		last, within = "min(position)", "h.position >= coalesce((select n from far), 0)"
	}
	s.let("classes", s.classes())
	s.let("near", "materialized "+s.ofEachClass(indexed, "(select 2 * "+s.limit+" / greatest(count(*), 1) + 1 from classes)"))
	s.let("far", fmt.Sprintf("materialized (select %s as n from near having count(*) = %s)", last, s.limit))
	return s.ofEachClass(indexed+" and "+within, s.limit)
}

// ofEachClass merges the first rows of each class, so many at most.
func (s *historySQL) ofEachClass(condition, limit string) string {
	return s.page(fmt.Sprintf(`select of_class.position from classes cross join lateral (
		select h.position from %s h where %s and h.class = classes.class and %s order by h.position %s limit %s) of_class`,
		s.table("history"), condition, s.between("h.position"), s.direction(), limit), "of_class.position")
}

func (s *historySQL) classes() string {
	where := ""
	if len(s.ofClass) > 0 {
		where = " where " + strings.Join(s.ofClass, " and ")
	}
	return "materialized (select class from " + s.table("history_classes") + where + ")"
}

// classConditions is what is asked of classes.
func (s *historySQL) classConditions() (all []string) {
	for _, c := range []struct{ column, asked, kept string }{
		{"stream_kind", s.q.Kind, s.q.Kind},
		{"realm", s.q.Realm, keptRealm(s.q.Realm)},
		{"surface", s.q.Surface, kept(s.q.Surface)},
		{"actor", s.actorClass(), kept(s.actorClass())},
	} {
		if c.asked != "" {
			all = append(all, c.column+" = "+s.arg(c.kept))
		}
	}
	switch {
	case strings.Contains(s.q.Type, "*"):
		all = append(all, "type like "+s.arg(likeSQL.Replace(s.q.Type)))
	case s.q.Type != "":
		all = append(all, "type = "+s.arg(s.q.Type))
	}
	return all
}

var likeSQL = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`)

// individual is an actor who has an id; zero for all others.
func (s *historySQL) individual() id.ID {
	_, of := splitActor(s.q.Actor)
	return of
}

func (s *historySQL) actorClass() string {
	class, _ := splitActor(s.q.Actor)
	return class
}

func (s *historySQL) uuid(of id.ID) string { return s.arg([16]byte(of)) + "::uuid" }
