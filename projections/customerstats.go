package projections

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"gesta/domain/crm"
)

// CustomerStats says how many customers there are, of which kinds.
type CustomerStats struct {
	Total      int64
	ByStatus   map[crm.Status]int64
	ByTier     map[crm.Tier]int64
	B2B        int64
	HasAccount int64
	Assigned   int64
}

// statsFields are the counters that stats are made of.
var statsFields = []string{"", "status", "tier", isB2B, hasAccount, isAssigned}

// Stats answers how many customers there are.
func (c Customers) Stats(ctx context.Context) (CustomerStats, error) {
	n, err := c.counted(ctx, `select field, value, n from customers_counts where scope = '' and field = any($1)`, statsFields)
	return n.stats(), err
}

func (n counted) stats() CustomerStats {
	s := CustomerStats{
		Total: n.of("", ""), ByStatus: map[crm.Status]int64{}, ByTier: map[crm.Tier]int64{},
		B2B: n.of(isB2B, "true"), HasAccount: n.of(hasAccount, "true"), Assigned: n.of(isAssigned, "true"),
	}
	for _, status := range crm.Statuses {
		s.ByStatus[status] = n.of("status", string(status))
	}
	for _, tier := range crm.Tiers {
		s.ByTier[tier] = n.of("tier", string(tier))
	}
	return s
}

// ConversionRate is the share of all customers that have been converted; 0 of none.
func (s CustomerStats) ConversionRate() float64 {
	return share(s.ByStatus[crm.Active]+s.ByStatus[crm.Churned], s.Total)
}

// ChurnRate is the share of the converted ones that have churned; 0 of none.
func (s CustomerStats) ChurnRate() float64 {
	return share(s.ByStatus[crm.Churned], s.ByStatus[crm.Active]+s.ByStatus[crm.Churned])
}

// share is rounded to four digits.
func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return math.Round(float64(n)/float64(of)*10_000) / 10_000
}

// CustomerMonth says what happened to customers in a month of UTC, those that are deleted by now included.
type CustomerMonth struct {
	Month                                                     time.Time // its first moment
	Created, Qualified, Converted, Churned, Reactivated, Gone int64
}

// Months answers what happened in each month in which something did, the first one first.
func (c Customers) Months(ctx context.Context) (all []CustomerMonth, err error) {
	all = []CustomerMonth{}
	err = c.ask(ctx, func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CustomerMonth])
		return err
	}, `select to_timestamp(value || ' +0', 'YYYY-MM TZH'), `+ofFields(created, qualified, converted, churned, reactivated, deleted)+`
		from customers_counts where scope = '' and field = any($1) group by 1 order by 1`,
		[]string{created, qualified, converted, churned, reactivated, deleted})
	return all, err
}

// CustomerOverview says how customers come and go.
type CustomerOverview struct {
	CustomerStats
	Month CustomerMonth
}

// Overview answers how many customers there are, and what has happened in the month that a time is in, as of one moment.
func (c Customers) Overview(ctx context.Context, at time.Time) (o CustomerOverview, err error) {
	at = at.UTC()
	month := at.Format(monthLayout)
	n, err := c.counted(ctx, `select field, value, n from customers_counts where scope = '' and (field = any($1) or field = any($2) and value = $3)`,
		statsFields, []string{created, qualified, converted, churned, reactivated, deleted}, month)
	return CustomerOverview{n.stats(), CustomerMonth{
		time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC), n.of(created, month), n.of(qualified, month), n.of(converted, month),
		n.of(churned, month), n.of(reactivated, month), n.of(deleted, month),
	}}, err
}

// ofFields are columns with the counters of some fields.
func ofFields(fields ...string) (sql string) {
	for i, f := range fields {
		if i > 0 {
			sql += ", "
		}
		sql += "coalesce(sum(n) filter (where field = '" + f + "'), 0)::bigint"
	}
	return sql
}

// Segment is how many customers have something in common.
type Segment struct {
	Name  string
	Count int64
}

// mostSegments are shown, those with the most customers.
const mostSegments = 50

// Segmentation says of which kinds customers are.
type Segmentation struct {
	CustomerStats
	ByTierAndStatus map[crm.Tier]map[crm.Status]int64
	Sources, Tags   []Segment // the largest first
}

// Segmentation answers of which kinds customers are, as of one moment.
func (c Customers) Segmentation(ctx context.Context) (s Segmentation, err error) {
	n, err := c.counted(ctx, `select field, value, n from customers_counts where scope = '' and field = any($1)
		union all (`+largest+`$2 order by n desc, value limit $4) union all (`+largest+`$3 order by n desc, value limit $4)`,
		append(statsFields[:len(statsFields):len(statsFields)], statusAndTier.field()), bySource, byTag, mostSegments)
	s.CustomerStats, s.ByTierAndStatus = n.stats(), map[crm.Tier]map[crm.Status]int64{}
	for _, tier := range crm.Tiers {
		s.ByTierAndStatus[tier] = map[crm.Status]int64{}
		for _, status := range crm.Statuses {
			of := statusAndTier.Of(status, tier)
			s.ByTierAndStatus[tier][status] = n.of(of.Column, of.text())
		}
	}
	s.Sources, s.Tags = n.segments(bySource), n.segments(byTag)
	return s, err
}

// byTag is how tags are counted.
const (
	byTag   = "tag"
	largest = `select field, value, n from customers_counts where scope = '' and value <> '' and n > 0 and field = `
)

// counted is what some counters say.
type counted []countedValue

// countedValue is one of them.
type countedValue struct {
	Field, Value string
	N            int64
}

func (n counted) of(field, value string) int64 {
	for _, c := range n {
		if c.Field == field && c.Value == value {
			return c.N
		}
	}
	return 0
}

// segments are the counters of a field, as they came.
func (n counted) segments(field string) []Segment {
	all := []Segment{}
	for _, c := range n {
		if c.Field == field {
			all = append(all, Segment{c.Value, c.N})
		}
	}
	return all
}

func (c Customers) counted(ctx context.Context, sql string, args ...any) (n counted, err error) {
	err = c.ask(ctx, func(rows pgx.Rows) (err error) {
		n, err = pgx.CollectRows(rows, pgx.RowToStructByPos[countedValue])
		return err
	}, sql, args...)
	return n, err
}

func (c Customers) ask(ctx context.Context, read func(pgx.Rows) error, sql string, args ...any) error {
	questions := &pgx.Batch{}
	questions.Queue(sql, args...).Query(read)
	return understood(c.DB.Ask(ctx, questions))
}
