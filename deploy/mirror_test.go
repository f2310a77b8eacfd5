package deploy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
	"gesta/eventstore/wait"
)

// mirror makes a team's own stream, as the file says.
func (u user) mirror() jetstream.Stream {
	u.t.Helper()
	stream, err := u.CreateStream(u.t.Context(), jetstream.StreamConfig{Name: "GESTA", Mirror: &jetstream.StreamSource{
		Name: "GESTA", External: &jetstream.ExternalStream{APIPrefix: "GESTA.API", DeliverPrefix: "gesta.mirror.team"},
	}})
	if err != nil {
		u.t.Fatal(err)
	}
	return stream
}

// isLevel waits until the mirror has what the history has, byte for byte.
func (g *gesta) isLevel(mirror jetstream.Stream) {
	g.t.Helper()
	all := g.history.All()
	wait.Until(g.t, "the mirror is level", func() bool {
		info, err := mirror.Info(g.t.Context())
		return err == nil && info.State.LastSeq == uint64(len(all)) && info.State.Msgs == uint64(len(all))
	})
	for _, r := range all {
		m, err := mirror.GetMsg(g.t.Context(), uint64(r.Position))
		if err != nil || m.Subject != envelope.Subject(r) || string(m.Data) != string(envelope.Encode(r, 1)) {
			g.t.Fatalf("position %d: %v", r.Position, err)
		}
	}
}

// A team's account gets the events, and goes on when gesta's stream is filled anew.
func TestAMirrorGetsTheEvents(t *testing.T) {
	s := serve(t, withTeam(t))
	g, team := gestaOn(t, s), as(t, s, "team")
	mirror := team.mirror()
	g.goesOn()
	g.isLevel(mirror)
	team.follows(jetstream.ConsumerConfig{Durable: "mine", AckPolicy: jetstream.AckExplicitPolicy})
	if err := g.DeleteStream(t.Context(), "GESTA"); err != nil {
		t.Fatal(err)
	}
	g.goesOn()
	g.isLevel(mirror)
}

// What a team does in its account, where it may do everything, touches neither gesta nor other consumers.
func TestATeamHarmsNobodyElse(t *testing.T) {
	a := underAttack(t, withTeam(t), "team")
	team := a.attacker
	a.isLevel(team.mirror())
	if _, err := team.CreateConsumer(t.Context(), "GESTA", jetstream.ConsumerConfig{Durable: "mine"}); err != nil {
		t.Fatal(err)
	}
	for i, place := range places {
		if err := team.Conn().Publish(place, []byte("9223372036854775807")); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(place, "DELETE") {
			continue // Its own is still needed.
		}
		team.request("$JS.API.STREAM.INFO.GESTA", place, "")
		team.request("$JS.API.CONSUMER.MSG.NEXT.GESTA.mine", place, `{"batch":1,"no_wait":true}`)
		a.pushed("GESTA.API.CONSUMER.CREATE.GESTA", fmt.Sprint("pushed", i), place, true)
	}
	if refusal := team.push("GESTA.API.CONSUMER.CREATE.GESTA", "theirs", "anything", true); refusal == "" {
		t.Error("a team changes another's consumer")
	}
	a.beats()
	a.isUnharmed()
	if err := team.DeleteStream(t.Context(), "GESTA"); err != nil {
		t.Error(err)
	}
	a.isUnharmed()
	a.isLevel(team.mirror())
}
