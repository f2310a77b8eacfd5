package promenade

import (
	"context"
	"time"

	"gesta/domain/crm"
	"gesta/http/web"
	"gesta/projections"
)

// customerFigures are the rows about all customers together.
func (a api) customerFigures() []web.Route {
	const customers, analytics = prefix + "/customer-mgmt/customers", prefix + "/customer-mgmt/analytics/customers"
	figures := func(path, does string, h web.Handler) web.Route {
		return web.Get(path, web.May(readCustomers), h).Does(does).Refuses(401, 403)
	}
	return []web.Route{
		figures(customers+"/stats", "Count customers", web.Handle(web.Reads(nothing), told(a.Customers.Stats), showStats)),
		figures(analytics+"/overview", "Show how customers come and go", web.Handle(web.Reads(nothing), told(a.overview), showOverview)),
		figures(analytics+"/lifecycle", "Show what happened to customers, month by month", web.Handle(web.Reads(nothing), told(a.Customers.Months), showLifecycle)),
		figures(analytics+"/segmentation", "Show of which kinds customers are", web.Handle(web.Reads(nothing), told(a.Customers.Segmentation), showSegmentation)),
	}
}

// told makes an act of a question that asks for nothing in particular.
func told[Out any](ask func(context.Context) (Out, error)) func(context.Context, struct{}) (Out, error) {
	return func(ctx context.Context, _ struct{}) (Out, error) { return ask(ctx) }
}

// ofStatus counts customers of each status.
type ofStatus struct {
	Lead     int64 `json:"lead"`
	Prospect int64 `json:"prospect"`
	Customer int64 `json:"customer"`
	Churned  int64 `json:"churned"`
}

func showStatuses(n map[crm.Status]int64) ofStatus {
	return ofStatus{n[crm.Lead], n[crm.Prospect], n[crm.Active], n[crm.Churned]}
}

// ofTier counts customers of each tier.
type ofTier struct {
	Free       int64 `json:"free"`
	Basic      int64 `json:"basic"`
	Pro        int64 `json:"pro"`
	Enterprise int64 `json:"enterprise"`
}

// customerStats count the customers that are not deleted.
type customerStats struct {
	Total    int64    `json:"total"`
	ByStatus ofStatus `json:"by_status"`
	ByTier   ofTier   `json:"by_tier"`
	// Who stand for companies.
	B2B int64 `json:"b2b"`
	// Who are users.
	WithAccount int64 `json:"with_account"`
	// Whom somebody looks after.
	Assigned   int64 `json:"assigned"`
	Unassigned int64 `json:"unassigned"`
}

func showStats(s projections.CustomerStats) customerStats {
	return customerStats{
		Total: s.Total, ByStatus: showStatuses(s.ByStatus),
		ByTier: ofTier{s.ByTier[crm.Free], s.ByTier[crm.Basic], s.ByTier[crm.Pro], s.ByTier[crm.Enterprise]},
		B2B:    s.B2B, WithAccount: s.HasAccount, Assigned: s.Assigned, Unassigned: s.Total - s.Assigned,
	}
}

func (a api) overview(ctx context.Context) (projections.CustomerOverview, error) {
	return a.Customers.Overview(ctx, a.CRM.Executor.Now())
}

// customerOverview says how customers come and go.
type customerOverview struct {
	Total    int64    `json:"total"`
	ByStatus ofStatus `json:"by_status"`
	// The share of all who are customers or were, from 0 to 1.
	ConversionRate float64 `json:"conversion_rate"`
	// The share of these who have churned, from 0 to 1.
	ChurnRate float64 `json:"churn_rate"`
	// What has happened since the month began.
	ThisMonth customerMonth `json:"this_month"`
}

func showOverview(o projections.CustomerOverview) customerOverview {
	return customerOverview{
		Total: o.Total, ByStatus: showStatuses(o.ByStatus), ConversionRate: o.ConversionRate(), ChurnRate: o.ChurnRate(),
		ThisMonth: showMonth(o.Month),
	}
}

// customerMonth counts what happened in a month, also to customers that are deleted by now.
type customerMonth struct {
	// When it began, in UTC.
	Month       time.Time `json:"month"`
	Created     int64     `json:"created"`
	Qualified   int64     `json:"qualified"`
	Converted   int64     `json:"converted"`
	Churned     int64     `json:"churned"`
	Reactivated int64     `json:"reactivated"`
	Deleted     int64     `json:"deleted"`
}

func showMonth(m projections.CustomerMonth) customerMonth {
	return customerMonth{m.Month.UTC(), m.Created, m.Qualified, m.Converted, m.Churned, m.Reactivated, m.Gone}
}

// customerLifecycle says what happened to customers.
type customerLifecycle struct {
	// Those in which something happened, the first one first.
	Months []customerMonth `json:"months"`
}

func showLifecycle(months []projections.CustomerMonth) customerLifecycle {
	l := customerLifecycle{Months: []customerMonth{}}
	for _, m := range months {
		l.Months = append(l.Months, showMonth(m))
	}
	return l
}

// customerSegmentation says of which kinds customers are.
type customerSegmentation struct {
	Total int64 `json:"total"`
	// The least tier first.
	Tiers []tierSegment `json:"tiers"`
	// The 50 with the most customers.
	Sources []segment `json:"sources"`
	// The 50 with the most customers.
	Tags []segment `json:"tags"`
	// Who stand for companies.
	B2B int64 `json:"b2b"`
	// Who stand for themselves.
	B2C            int64 `json:"b2c"`
	WithAccount    int64 `json:"with_account"`
	WithoutAccount int64 `json:"without_account"`
}

// tierSegment counts the customers of a tier.
type tierSegment struct {
	Tier     string   `json:"tier" enum:"free,basic,pro,enterprise"`
	Count    int64    `json:"count"`
	ByStatus ofStatus `json:"by_status"`
}

// segment counts customers who have something in common.
type segment struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

func showSegmentation(s projections.Segmentation) customerSegmentation {
	shown := customerSegmentation{
		Total: s.Total, Sources: showSegments(s.Sources), Tags: showSegments(s.Tags),
		B2B: s.B2B, B2C: s.Total - s.B2B, WithAccount: s.HasAccount, WithoutAccount: s.Total - s.HasAccount,
	}
	for _, t := range crm.Tiers {
		shown.Tiers = append(shown.Tiers, tierSegment{string(t), s.ByTier[t], showStatuses(s.ByTierAndStatus[t])})
	}
	return shown
}

func showSegments(all []projections.Segment) []segment {
	shown := []segment{}
	for _, s := range all {
		shown = append(shown, segment{s.Name, s.Count})
	}
	return shown
}
