package main

import (
	"context"

	"github.com/nats-io/nats.go"

	"gesta/commands"
	"gesta/eventstore"
	"gesta/eventstore/envelope"
)

// As many facts may wait until what they are about is dropped; who is overlooked is found out about by asking.
const forgottenRoom = 256

// forget drops what this process has in memory of persons who are forgotten.
func (n *node) forget(ctx context.Context) error {
	commits, unsubscribe := n.handoff.Subscribe(forgottenRoom)
	defer unsubscribe()
	told := make(chan eventstore.Recorded, forgottenRoom)
	sub, err := n.nc.Subscribe(envelope.Forgotten, func(m *nats.Msg) {
		r, _, err := envelope.Decode(m.Data)
		if err != nil {
			return // It is no event.
		}
		select {
		case told <- r:
		default:
		}
	})
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // It only fails where the connection is closed.
	f := commands.Forgotten{Vault: n.vault, Executor: n.executor, Store: n.store, Commits: commits, Told: told, Log: n.log}
	return f.Run(ctx)
}
