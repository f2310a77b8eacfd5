package audit

import (
	"errors"
	"math"
	"strconv"

	"gesta/commands"
	"gesta/http/web"
)

// Parameters of the query that several rows have.
var (
	afterParam  = web.Param{Name: "after", Text: "The position of an event: only those behind it. A page's next goes here."}
	beforeParam = web.Param{Name: "before", Text: "The position of an event: only those ahead of it. A page's next goes here where the last events come first."}
	orderParam  = web.Param{Name: "order", Text: "asc, or desc for the last events first; asc if it is left out.", Enum: []string{"asc", "desc"}}
)

// limitParam is how many there are on a page.
func limitParam(usual, most int) web.Param {
	return web.Param{Name: "limit", Text: "How many are on a page, at most.", Least: 1, Most: most, Default: usual}
}

func pointParam(name, without string) web.Param {
	return web.Param{Name: name, Text: "A position, or a time as RFC 3339 spells it, by the clock of the store; " + without + " if it is left out."}
}

// query reads parameters of the query, and gathers what is wrong with them.
type query struct {
	*web.Request
	web.Fields
}

func (q *query) refuse(name string, err error) { q.Refuse(name, err.Error()) }

var errPosition = errors.New("must be a position such as 41")

// position is 0 where there is none.
func (q *query) position(name string) int64 {
	text := q.Query(name)
	if text == "" {
		return 0
	}
	return q.parsePosition(name, text)
}

func (q *query) parsePosition(name, text string) int64 {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		q.refuse(name, errPosition)
	}
	return int64(min(n, math.MaxInt64))
}

// limit is the default where it is left out.
func (q *query) limit(p web.Param) int { return q.Number(&q.Fields, p) }

// descending tells whether the last events come first.
func (q *query) descending() bool { return q.Word(&q.Fields, orderParam) == "desc" }

func (q *query) point(name string, without commands.Point) commands.Point {
	text := q.Query(name)
	if text == "" {
		return without
	}
	p, err := commands.ParsePoint(text)
	if err != nil {
		q.refuse(name, err)
	}
	return p
}
