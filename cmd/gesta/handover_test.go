package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/envelope"
)

// Who was away for longer than the stream keeps events reads on from the store, page by page, and then goes over to the
// live stream while events go on coming: the same bytes as were published, each once, without a gap.
func TestFromTheStoreToTheLiveStreamWithoutAGap(t *testing.T) {
	t.Parallel()
	i, _ := onNATS(t, "GESTA_STREAM_MAX_AGE=4s")
	_, api := i.serve(t, "api,relay,projector,audit")
	consumer := i.inspector(t, api, "consumer")
	api.register("h1", "h2", "h3", "h4", "h5")
	i.awaitExpired(t, i.head(t))

	writing, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		for n := 0; ; n++ {
			select {
			case <-writing:
				return
			default:
				api.do("POST", "/users", "", registration(fmt.Sprintf("w%d@example.com", n)))
			}
		}
	}()
	var got []string
	page := "/audit/v1/events?after=0&limit=3"
	for page != "" {
		var some []json.RawMessage
		page = api.published(consumer, page, &some)
		for _, one := range some {
			got = append(got, string(one))
		}
	}
	s, err := i.stream(t).Stream(t.Context(), envelope.Stream)
	if err != nil {
		t.Fatal(err)
	}
	live, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: uint64(len(got) + 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := live.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for range 10 {
		m, err := messages.Next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(m.Data()))
	}
	close(writing)
	<-written
	want := strings.Split(mustGesta(t, i.env, "events", "export"), "\n")[:len(got)]
	unchanged(t, "what was read here and there", want, got)
}

// published reads a page as it was published, and answers where the next one is.
func (c client) published(token, path string, page *[]json.RawMessage) (next string) {
	c.t.Helper()
	r := c.request("GET", path, token, nil)
	r.Header.Set("Accept", "application/cloudevents-batch+json")
	a := c.send(r)
	if a.status != 200 || json.Unmarshal([]byte(a.text), page) != nil {
		c.t.Fatalf("%s: %d %s", path, a.status, a.text)
	}
	next, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	return next
}
