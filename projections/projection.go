// Package projections builds the read models from the history, and answers questions from them. There
// is one file per read model: its row, its tables, the rules that keep it true, its questions.
package projections

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"gesta/domain"
	"gesta/eventstore"
)

// Projection is one read model. Its tables lie in the read schema, which search_path names.
type Projection struct {
	Name     string
	Tables   string // SQL that creates them
	Rules    []Rule
	Personal []Personal
	Revision int // raised when a rule begins to mean something else by the same SQL
}

// Personal names the columns of a table that tell of a person. They are null once the person is forgotten: no rule
// has to do it.
type Personal struct {
	Table   string
	Key     string // the column with the id of the stream that the row is keyed by; it needs an index
	Subject string // the column with the id of the person, which may be the same
	Columns []string
	Version string // the column with the version of the row; "" for none
	Rows    bool   // whole rows tell of the person, and go
}

// Forgotten is what a column reads that is null because its person was forgotten.
const Forgotten = "[forgotten]"

func (p Personal) sql() string {
	if p.Rows {
		return "delete from " + p.Table + " where " + p.Key + " = $1 and " + p.Subject + " = $2"
	}
	version := p.Version
	if version != "" {
		version = ", " + version + " = $3"
	}
	return "update " + p.Table + " set " + strings.Join(p.Columns, " = null, ") + " = null" + version + " where " + p.Key + " = $1 and " + p.Subject + " = $2"
}

// Rule says what one type of event writes.
type Rule struct {
	Type  string
	apply func(Write, domain.Event)
	zero  domain.Event
}

// On makes a rule. Rules write and never read, and write only rows keyed by their own stream or add to
// counters: so what arrives together becomes one transaction, and late is as good as in time.
func On[E domain.Event](write func(Write, E)) Rule {
	var zero E
	return Rule{Type: zero.EventType(), zero: zero, apply: func(w Write, e domain.Event) { write(w, e.(E)) }}
}

// Write takes what the rules write about one event.
type Write struct {
	Event  eventstore.Recorded
	batch  *pgx.Batch
	counts tallies
}

// Exec adds a statement to the transaction of the event's batch.
func (w Write) Exec(sql string, args ...any) { w.batch.Queue(sql, args...) }

// All are the read models that there are.
var All = []Projection{UsersProjection, RolesProjection, ProfilesProjection, ContactsProjection, CustomersProjection}

// fingerprint tells whether tables were built by this projection or by another one.
func (p Projection) fingerprint() string {
	text := fmt.Sprintf("%q %d %q", p.Name, p.Revision, p.Tables)
	for _, one := range p.Personal {
		text += fmt.Sprintf("%q", one.sql())
	}
	for _, r := range p.Rules {
		text += fmt.Sprintf("%q %q", r.Type, r.sql())
	}
	return hash(text)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sql is what the rule writes about an event in which nothing is said.
func (r Rule) sql() (all []string) {
	w := Write{batch: &pgx.Batch{}, counts: tallies{}}
	r.apply(w, r.zero)
	for _, q := range w.batch.QueuedQueries {
		all = append(all, q.SQL)
	}
	return append(all, w.counts.texts()...)
}

func fingerprints(all []Projection) map[string]string {
	by := map[string]string{}
	for _, p := range all {
		by[p.Name] = p.fingerprint()
	}
	return by
}

// fingerprint is that of all projections together.
func (p *Projector) fingerprint() string {
	by := fingerprints(p.Projections)
	text := hash(bookkeeping)
	for _, name := range slices.Sorted(maps.Keys(by)) {
		text += fmt.Sprintf("%q %s", name, by[name])
	}
	return hash(text)
}
