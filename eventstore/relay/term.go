package relay

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// term is the time of one leadership. It has a publisher of its own, which goes from session to session
// as long as each ends with nothing on its way; late answers to an earlier session must go nowhere.
type term struct {
	relay *Relay
	js    jetstream.JetStream // nil while there is none
	acks  *acks
}

func (t *term) begin() (err error) {
	if t.js != nil {
		return nil
	}
	t.acks = &acks{acked: t.relay.status.position.Store}
	t.js, err = jetstream.New(
		t.relay.NC,
		jetstream.WithDefaultTimeout(apiWait),
		jetstream.WithPublishAsyncMaxPending(window),
		jetstream.WithPublishAsyncAckHandler(t.acks.ok),
		jetstream.WithPublishAsyncErrHandler(t.acks.refused),
	)
	return err
}

// settle waits for what is on its way, since the next session asks where the stream ends.
func (t *term) settle() {
	select {
	case <-t.js.PublishAsyncComplete():
	case <-time.After(farewell):
		t.close()
	}
}

func (t *term) close() {
	if t.js != nil {
		t.js.CleanupPublisher()
		t.js = nil
	}
}
