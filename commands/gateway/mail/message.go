// Package mail sends messages by SMTP, or keeps them in a folder where nobody is to be written to.
package mail

import (
	"errors"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"gesta/commands/gateway"
)

// errMessage says nothing of what was wrong: that would be the receiver, or the text.
var errMessage = errors.New("mail: a message can't be written")

// compose writes a message as it is sent. Its Message-ID follows from its key.
func compose(m gateway.Message, from string) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if errors.Join(msg.From(from), msg.To(m.To)) != nil {
		return nil, errMessage
	}
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, errMessage
	}
	msg.SetMessageIDWithValue(m.Key + sender.Address[strings.LastIndex(sender.Address, "@"):])
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.Subject(m.Subject)
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	return msg, nil
}
