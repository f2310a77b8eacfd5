package natsembed

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"gesta/deploy"
)

// A guarded server has the users of deploy/nats.conf. Their passwords are random and never leave this process: who
// brings no credentials is a consumer.
const (
	insider  = "gesta"
	consumer = "consumer"
)

// ConsumerInbox is the prefix of the inboxes that whoever comes without credentials may subscribe to.
const ConsumerInbox = "_INBOX_" + consumer

// guarded answers what the configuration says, and the insider's password.
func guarded() (o *server.Options, password string, err error) {
	var passwords strings.Builder
	for _, m := range passwordVariable.FindAllStringSubmatch(deploy.NATS, -1) {
		one := rand.Text()
		if m[1] == "GESTA_NATS_PASSWORD" {
			password = one
		}
		fmt.Fprintf(&passwords, "%s: %q\n", m[1], one)
	}
	o = &server.Options{}
	if err := o.ProcessConfigString(passwords.String() + deploy.NATS); err != nil {
		return nil, "", fmt.Errorf("natsembed: %w", err)
	}
	o.NoAuthUser = consumer
	return o, password, nil
}

// passwordVariable is one outside comments.
var passwordVariable = regexp.MustCompile(`(?m)^[^#\n]*\$(\w+_NATS_PASSWORD)`)
