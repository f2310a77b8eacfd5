package mail

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"gesta/commands/gateway"
)

// Outbox keeps each message as a file, named by its key. What is sent again is there once.
type Outbox struct{ Dir string }

// outboxFrom is nobody, who writes to nobody.
const outboxFrom = "gesta@localhost"

// Send writes the file, whole or not at all.
func (o Outbox) Send(_ context.Context, m gateway.Message) error {
	msg, err := compose(m, outboxFrom)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	fresh, err := os.CreateTemp(o.Dir, "*.part")
	if err != nil {
		return err
	}
	defer os.Remove(fresh.Name())
	_, err = msg.WriteTo(fresh)
	if err := errors.Join(err, fresh.Close()); err != nil {
		return err
	}
	return os.Rename(fresh.Name(), filepath.Join(o.Dir, m.Key+".eml"))
}
