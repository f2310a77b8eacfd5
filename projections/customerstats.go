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

// Stats answers how many customers there are.
func (c Customers) Stats(ctx context.Context) (s CustomerStats, err error) {
	n, err := c.counted(ctx, "", "status", "tier", isB2B, hasAccount, isAssigned)
	s = CustomerStats{
		Total: n.of("", ""), ByStatus: map[crm.Status]int64{}, ByTier: map[crm.Tier]int64{},
		B2B: n.of(isB2B, "true"), HasAccount: n.of(hasAccount, "true"), Assigned: n.of(isAssigned, "true"),
	}
	for _, status := range crm.Statuses {
		s.ByStatus[status] = n.of("status", string(status))
	}
	for _, tier := range crm.Tiers {
		s.ByTier[tier] = n.of("tier", string(tier))
	}
	return s, err
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

// Month answers what has happened in the month that a time is in.
func (c Customers) Month(ctx context.Context, at time.Time) (m CustomerMonth, err error) {
	at = at.UTC()
	m.Month = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	all, err := c.Months(ctx)
	for _, one := range all {
		if one.Month.Equal(m.Month) {
			m = one
		}
	}
	return m, err
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

// Segmentation answers of which kinds customers are.
func (c Customers) Segmentation(ctx context.Context) (s Segmentation, err error) {
	if s.CustomerStats, err = c.Stats(ctx); err != nil {
		return s, err
	}
	n, err := c.counted(ctx, statusAndTier.field())
	if err != nil {
		return s, err
	}
	s.ByTierAndStatus = map[crm.Tier]map[crm.Status]int64{}
	for _, tier := range crm.Tiers {
		s.ByTierAndStatus[tier] = map[crm.Status]int64{}
		for _, status := range crm.Statuses {
			of := statusAndTier.Of(status, tier)
			s.ByTierAndStatus[tier][status] = n.of(of.Column, of.text())
		}
	}
	if s.Sources, err = c.largest(ctx, bySource); err == nil {
		s.Tags, err = c.largest(ctx, "tag")
	}
	return s, err
}

func (c Customers) largest(ctx context.Context, field string) (all []Segment, err error) {
	err = c.ask(ctx, func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Segment])
		return err
	}, `select value, n from customers_counts where scope = '' and field = $1 and value <> '' and n > 0 order by n desc, value limit $2`, field, mostSegments)
	return all, err
}

// tally is what some counters say.
type tally map[[2]string]int64

func (t tally) of(field, value string) int64 { return t[[2]string{field, value}] }

func (c Customers) counted(ctx context.Context, fields ...string) (tally, error) {
	all := tally{}
	err := c.ask(ctx, func(rows pgx.Rows) error {
		var field, value string
		var n int64
		_, err := pgx.ForEachRow(rows, []any{&field, &value, &n}, func() error {
			all[[2]string{field, value}] = n
			return nil
		})
		return err
	}, `select field, value, n from customers_counts where scope = '' and field = any($1)`, fields)
	return all, err
}

func (c Customers) ask(ctx context.Context, read func(pgx.Rows) error, sql string, args ...any) error {
	questions := &pgx.Batch{}
	questions.Queue(sql, args...).Query(read)
	return understood(c.DB.Ask(ctx, questions))
}
