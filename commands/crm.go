package commands

// CRM is what can be asked of the customers' context.
type CRM struct {
	Executor *Executor
}
