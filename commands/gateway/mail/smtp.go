package mail

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"gesta/commands/gateway"
)

// SMTP hands messages to a mail server.
type SMTP struct {
	client *mail.Client
	from   string
	server string // host and port
}

// Refusals of settings. What was set could hold a password, so they do not say it.
var (
	ErrURL  = errors.New("is not such as smtp://user:password@mail.example.com:587, or smtps://…:465")
	ErrFrom = errors.New("is no address such as gesta@example.com or Gesta <gesta@example.com>")
)

// sendTime is how long a mail server may take: whoever waits for it waits with everything else.
const sendTime = 10 * time.Second

// NewSMTP reads where the mail server is. With smtp:// it must know STARTTLS, with smtps:// it speaks nothing but TLS;
// smtp://…?tls=off speaks in the clear, which is for a server on the same machine.
func NewSMTP(server, from string) (*SMTP, error) {
	if _, err := netmail.ParseAddress(from); err != nil {
		return nil, ErrFrom
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return nil, ErrURL
	}
	options, err := security(u)
	if err != nil {
		return nil, err
	}
	if text := u.Port(); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, ErrURL
		}
		options = append(options, mail.WithPort(port))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(u.User.Username()), mail.WithPassword(password))
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	client, err := mail.NewClient(host, append(options, mail.WithTimeout(sendTime))...)
	if err != nil {
		return nil, ErrURL
	}
	return &SMTP{client: client, from: from, server: client.ServerAddr()}, nil
}

// security is how the connection is encrypted, with the port that this is done on.
func security(u *url.URL) ([]mail.Option, error) {
	const submission, submissions = 587, 465
	off := u.RawQuery == "tls=off"
	switch {
	case u.RawQuery != "" && !off, u.Fragment != "":
		return nil, ErrURL
	case u.Scheme == "smtps" && !off:
		return []mail.Option{mail.WithSSL(), mail.WithPort(submissions)}, nil
	case u.Scheme == "smtp" && off:
		return []mail.Option{mail.WithTLSPolicy(mail.NoTLS), mail.WithPort(submission)}, nil
	case u.Scheme == "smtp":
		return []mail.Option{mail.WithTLSPolicy(mail.TLSMandatory), mail.WithPort(submission)}, nil
	}
	return nil, ErrURL
}

// Send hands over one message.
func (s *SMTP) Send(ctx context.Context, m gateway.Message) error {
	msg, err := compose(m, s.from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	conn, err := s.client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("mail: %s can't be reached, is not encrypted, or does not let this program in", s.server)
	}
	err = s.told(s.client.SendWithSMTPClient(conn, msg))
	_ = s.client.CloseWithSMTPClient(conn) // What it has taken it has, however it says goodbye.
	return err
}

// told leaves of an error what names nobody: servers like to repeat the receiver's address.
func (s *SMTP) told(err error) error {
	var refused *mail.SendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.ErrorCode() > 0:
		return fmt.Errorf("mail: %s refuses a message: %d %s", s.server, refused.ErrorCode(), refused.EnhancedStatusCode())
	}
	return fmt.Errorf("mail: %s did not take a message", s.server)
}
