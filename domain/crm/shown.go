package crm

import "time"

// ShownCustomer is what a customer is shown as, to those who look at what he was.
type ShownCustomer struct {
	CustomerID CustomerID `json:"customer_id" privacy:"public"`
	Name       string     `json:"name,omitempty" privacy:"personal"`
	Email      string     `json:"email,omitempty" privacy:"personal"`
	Phone      string     `json:"phone,omitempty" privacy:"personal"`
	// One of lead, prospect, customer, churned.
	Status Status `json:"status" privacy:"public"`
	// One of free, basic, pro, enterprise.
	Tier Tier `json:"tier" privacy:"public"`
	// A word for where he was heard of.
	Source string `json:"source,omitempty" privacy:"public"`
	// Sorted, each once.
	Tags []Tag `json:"tags,omitempty" privacy:"public"`
	// The user who looks after him.
	AssignedTo UserID `json:"assigned_to,omitzero" privacy:"public"`
	// The user that he is.
	UserID UserID `json:"user_id,omitzero" privacy:"public"`
	// The company that he stands for.
	CompanyID CompanyID `json:"company_id,omitzero" privacy:"public"`
	// Why he has churned.
	Reason    string    `json:"reason,omitempty" privacy:"personal"`
	Deleted   bool      `json:"deleted" privacy:"public"`
	CreatedAt time.Time `json:"created_at" privacy:"public"`
	UpdatedAt time.Time `json:"updated_at" privacy:"public"`
	// When he became a customer for the first time.
	ConvertedAt time.Time `json:"converted_at,omitzero" privacy:"public"`
	// When he has churned; left out where he has not, or came back.
	ChurnedAt time.Time `json:"churned_at,omitzero" privacy:"public"`
}

// Show is the customer, also when he is deleted.
func (c Customer) Show() any {
	if c.ID.IsZero() {
		return nil
	}
	return ShownCustomer{
		CustomerID: c.ID, Name: c.Name, Email: string(c.Email), Phone: string(c.Phone), Status: c.Status, Tier: c.Tier,
		Source: c.Source, Tags: c.Tags, AssignedTo: c.AssignedTo, UserID: c.User, CompanyID: c.Company, Reason: c.Reason,
		Deleted: c.Deleted, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, ConvertedAt: c.ConvertedAt, ChurnedAt: c.ChurnedAt,
	}
}
