package domain

import (
	"fmt"
	"runtime"
)

// Panicked says with what somebody "panicked" over an event, for logs and reports. Only what the runtime
// says is told: anything else may hold what the event says.
func Panicked(with any) string {
	if mistake, ok := with.(runtime.Error); ok {
		return "panicked: " + mistake.Error()
	}
	return fmt.Sprintf("panicked with a %T", with)
}
