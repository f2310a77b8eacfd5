// Package gateway is the world outside as commands see it: one small interface for each thing that is asked of it.
package gateway

import "context"

// Mail sends messages.
type Mail interface {
	// Send has a message on its way when it answers nil. One that is sent again has the same Key, by which who
	// receives both can tell. What it answers otherwise names neither the receiver nor what was to be said.
	Send(ctx context.Context, m Message) error
}

// Message is what one person is to be told.
type Message struct {
	To            string // an address
	Subject, Text string
	Key           string // of letters and digits, another one for each message
}
