package natsembed

import (
	"crypto/rand"

	"github.com/nats-io/nats-server/v2/server"
)

// guard keeps the stream from being written by mistake by anybody but this process: whoever publishes on
// its subjects puts words into history's mouth. It is no wall: NATS does not check which subject a request
// names for its answer.
type guard struct{ password string }

// The users of a guarded server. Who brings no credentials is a consumer.
const (
	insider  = "gesta"
	consumer = "consumer"
)

func newGuard(o *server.Options) *guard {
	g := &guard{password: rand.Text()}
	o.Users = []*server.User{
		{Username: insider, Password: g.password},
		{Username: consumer, Password: rand.Text(), Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: mayAsk},
			Subscribe: &server.SubjectPermission{Allow: []string{"gesta.events.>", "_INBOX.>"}},
		}},
	}
	o.NoAuthUser = consumer
	return g
}

// mayAsk is what it takes to read a stream: to look at it, to make and delete consumers on it, to pull
// from them and to acknowledge.
var mayAsk = []string{
	"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.GESTA",
	"$JS.API.STREAM.MSG.GET.GESTA",
	"$JS.API.CONSUMER.CREATE.GESTA.>", "$JS.API.CONSUMER.DURABLE.CREATE.GESTA.>",
	"$JS.API.CONSUMER.INFO.GESTA.>", "$JS.API.CONSUMER.NAMES.GESTA", "$JS.API.CONSUMER.LIST.GESTA",
	"$JS.API.CONSUMER.DELETE.GESTA.>", "$JS.API.CONSUMER.MSG.NEXT.GESTA.>", "$JS.ACK.GESTA.>", "$JS.FC.GESTA.>",
}
