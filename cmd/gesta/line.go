package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gesta/eventstore/relay/natsembed"
)

// line is a command's own connection to the NATS of the system it works on.
type line struct {
	nc         *nats.Conn
	js         jetstream.JetStream
	mayPublish bool
	close      func()
}

var errNoNATS = errors.New("NATS does not answer")

// line connects to NATS_URL, or to the NATS of the running `gesta dev`, or starts the one of a `gesta dev`
// that does not run. Whoever has started the Postgres of the data folder knows that nobody else runs.
func (a *app) line() (*line, error) {
	switch {
	case a.database() != "":
		nc, err := nats.Connect(a.NATSURL, nats.Name("gesta"))
		if err != nil {
			return nil, errNoNATS // What is wrong with it could say the password in it.
		}
		return newLine(nc, true, nc.Close)
	case a.isAlone():
		return a.ownLine()
	}
	return a.devLine()
}

func newLine(nc *nats.Conn, mayPublish bool, end func()) (*line, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		end()
		return nil, err
	}
	return &line{nc: nc, js: js, mayPublish: mayPublish, close: end}, nil
}

func (a *app) ownLine() (*line, error) {
	ns, err := natsembed.Start(natsembed.Options{Dir: a.natsDir(), Guarded: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	nc, err := ns.Connect()
	if err != nil {
		ns.Stop()
		return nil, err
	}
	return newLine(nc, true, func() { nc.Close(); ns.Stop() })
}

// devLine makes sure that it is the NATS of this data folder that answers: another `gesta dev` may have
// taken the address. It comes as a consumer does.
func (a *app) devLine() (*line, error) {
	text, err := os.ReadFile(a.natsPlace())
	if err != nil {
		return nil, errNoNATS
	}
	url, server, _ := strings.Cut(string(text), " ")
	nc, err := nats.Connect(url, nats.Name("gesta"), nats.CustomInboxPrefix(natsembed.ConsumerInbox))
	if err != nil {
		return nil, errNoNATS
	}
	if nc.ConnectedServerId() != server {
		nc.Close()
		return nil, errNoNATS
	}
	return newLine(nc, false, nc.Close)
}

func (s *Settings) natsDir() string { return filepath.Join(s.Data, "nats") }

// natsPlace is the file in which a running `gesta dev` says where its NATS is.
func (s *Settings) natsPlace() string { return filepath.Join(s.Data, "nats-place") }

func (s *Settings) keepNATSPlace(ns *natsembed.Server) error {
	return os.WriteFile(s.natsPlace(), []byte(ns.URL()+" "+ns.ID()), 0o600)
}
