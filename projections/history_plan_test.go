package projections_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/domain/id"
	"gesta/projections"
)

func ulid(t *testing.T, text string) id.ID {
	t.Helper()
	of, err := id.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return of
}

// No question reads more than a page of a table that grows, whether it was planned while that was empty or when it is
// long.
func TestQuestionsOfTheHistoryWalkNoTable(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	conn, err := a.history.DB.Pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	explain := func(when, prepared string, wants bool) {
		request := ulid(t, "01J8Z3K5T9V7W2X4Y600000500")
		at := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
		for name, c := range map[string]struct {
			q     projections.HistoryQuery
			index string
		}{
			"nothing":             {projections.HistoryQuery{}, "events_pkey"},
			"a stream":            {projections.HistoryQuery{Stream: domain.Stream{Kind: "identity.user", ID: ulids[0]}}, "events_stream_version"},
			"a stream, deep":      {projections.HistoryQuery{Stream: domain.Stream{Kind: "identity.user", ID: ulids[0]}, After: 4000, Before: 9000}, "events_stream_version"},
			"a stream and a type": {projections.HistoryQuery{Stream: domain.Stream{Kind: "identity.user", ID: ulids[0]}, Type: "a.*"}, "history_pkey"},
			"a kind":              {projections.HistoryQuery{Kind: "identity.user"}, "history_class"},
			"a type":              {projections.HistoryQuery{Type: "identity.user.happened3"}, "history_class"},
			"types":               {projections.HistoryQuery{Type: "identity.*"}, "history_class"},
			"a realm":             {projections.HistoryQuery{Realm: "accounts"}, "history_class"},
			"a surface":           {projections.HistoryQuery{Surface: "accounts"}, "history_class"},
			"an actor":            {projections.HistoryQuery{Actor: "user/" + ulids[0].String()}, "history_actor"},
			"an actor and a type": {projections.HistoryQuery{Actor: "user/" + ulids[0].String(), Type: "*3"}, "history_actor"},
			"the system":          {projections.HistoryQuery{Actor: "system"}, "history_class"},
			"a request":           {projections.HistoryQuery{Request: request}, "history_correlation"},
			"a correlation":       {projections.HistoryQuery{Correlation: request}, "history_correlation"},
			"times":               {projections.HistoryQuery{From: at, To: at.Add(time.Hour)}, "events_pkey"},
			"a type and times":    {projections.HistoryQuery{Type: "*3", From: at, To: at.Add(time.Hour)}, "history_class"},
		} {
			for _, c.q.Descending = range []bool{false, true} {
				plan := planOf(t, conn.Conn(), a.history, fmt.Sprintf("%s, %s, %t", prepared, name, c.q.Descending), c.q)
				for line := range strings.Lines(plan) {
					walks := strings.Contains(line, "Seq Scan on ") && !strings.Contains(line, "history_classes")
					if sorts := strings.Contains(line, "external"); walks || sorts {
						t.Errorf("%s, %s walks: %s", name, when, line)
					}
				}
				if !strings.Contains(plan, c.index) {
					t.Errorf("%s, %s: no %s:\n%s", name, when, c.index, plan)
				}
				if n := rowsRead(plan); wants && n > 3000 {
					t.Errorf("%s, %s: %d rows are read:\n%s", name, when, n, plan)
				}
			}
		}
	}
	explain("when it is empty", "empty", false)
	many(a, 50_000)
	a.run()
	a.level()
	explain("planned when it was empty", "empty", true)
	explain("before anybody has looked how long it is", "new", true)
	a.exec("vacuum analyze history")
	a.exec("vacuum analyze history_classes")
	a.exec("vacuum analyze events")
	explain("when it is long", "long", true)
}

// planOf is how the server answers a question for a page of 100, by a plan that is made at the first time.
func planOf(t *testing.T, conn *pgx.Conn, h projections.History, name string, q projections.HistoryQuery) string {
	t.Helper()
	sql, args := h.SQL(q)
	literals := make([]string, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case [16]byte:
			literals[i] = fmt.Sprintf("'%x'", v)
		case time.Time:
			literals[i] = v.Format("'2006-01-02T15:04:05.999999Z'")
		default:
			literals[i] = fmt.Sprintf("'%v'", v)
		}
	}
	statement := pgx.Identifier{name}.Sanitize()
	if _, err := conn.Exec(t.Context(), "prepare "+statement+" as "+sql, pgx.QueryExecModeSimpleProtocol); err != nil && !strings.Contains(err.Error(), "already exists") {
		t.Fatalf("%s: %v", sql, err)
	}
	rows, err := conn.Query(t.Context(), fmt.Sprintf("explain (analyze, costs off, timing off) execute %s(%s)", statement, strings.Join(literals, ", ")), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(lines, "\n")
}

var scanned = regexp.MustCompile(`Scan .*actual rows=(\d+) loops=(\d+)`)

// rowsRead is how many rows of tables a plan has looked at.
func rowsRead(plan string) (n int) {
	for _, m := range scanned.FindAllStringSubmatch(plan, -1) {
		rows, _ := strconv.Atoi(m[1])
		loops, _ := strconv.Atoi(m[2])
		n += rows * loops
	}
	return n
}
