package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"gesta/commands/gateway"
	"gesta/commands/gateway/mail"
)

// mail is how messages are sent: by the server that is set, or else, by `gesta dev`, into a folder. Nil where nothing
// can be sent.
func (s *Settings) mail() (gateway.Mail, error) {
	switch {
	case s.SMTP.URL != "":
		server, err := mail.NewSMTP(s.SMTP.URL, s.SMTP.From)
		switch {
		case errors.Is(err, mail.ErrFrom):
			return nil, fmt.Errorf("GESTA_SMTP_FROM %w", err)
		case err != nil:
			return nil, fmt.Errorf("GESTA_SMTP_URL %w", err)
		}
		return server, nil
	case s.database() == "":
		return mail.Outbox{Dir: filepath.Join(s.Data, "outbox")}, nil
	}
	return nil, nil
}
