// Package crm holds the rules of customers: from lead to prospect to customer, and away and back.
package crm

import "gesta/domain"

// Refusals.
var (
	ErrCustomerNotFound = &domain.Fault{Kind: domain.NotFound, Code: "customer_not_found", Text: "customer not found"}
)
