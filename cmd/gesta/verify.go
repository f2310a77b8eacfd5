package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gesta/commands/verify"
	"gesta/eventstore/envelope"
	"gesta/eventstore/relay"
	"gesta/projections"
)

// verifyCmd checks a live system and changes nothing.
type verifyCmd struct {
	Only []string `help:"Only these checks, separated by commas; all when not set."`
}

// check compares one thing that the system keeps with what it was made from. It says what it has
// checked, with counts; err says why it could not.
type check struct {
	name string
	run  func(ctx context.Context, a *app, report verify.Report) (checked string, err error)
}

var checks = []check{
	{"history", func(ctx context.Context, a *app, report verify.Report) (string, error) {
		return a.verifier().History(ctx, report)
	}},
	{"states", func(ctx context.Context, a *app, report verify.Report) (string, error) {
		return a.verifier().States(ctx, report)
	}},
	{"claims", func(ctx context.Context, a *app, report verify.Report) (string, error) {
		return a.verifier().TakenClaims(ctx, report)
	}},
	{"proof", func(ctx context.Context, a *app, report verify.Report) (string, error) {
		return a.verifyProof(ctx, report)
	}},
	{"stream", verifyStream},
	{"projections", verifyReadModels},
	{"index", verifyIndex},
}

// verifyStream compares what NATS holds with what the history would be published as.
func verifyStream(ctx context.Context, a *app, report verify.Report) (string, error) {
	line, err := a.line()
	if err != nil {
		return "", err
	}
	defer line.close()
	if err := a.verifyPublished(ctx, line.js, report); err != nil {
		return "", err
	}
	findings, verified, err := relay.Compare(ctx, a.store, line.js, 0, 0)
	if errors.Is(err, jetstream.ErrStreamNotFound) && a.isAlone() {
		return "no messages until 'gesta dev' runs", nil
	}
	for _, f := range findings {
		report(f.String())
	}
	return fmt.Sprintf("messages up to position %d", verified), err
}

// isAlone tells that this command has started the Postgres of a `gesta dev` that does not run: nothing
// follows the history until it does.
func (a *app) isAlone() bool { return a.sys.server != nil }

// verifyPublished finds a stream that does not get to where the history ended at first.
func (a *app) verifyPublished(ctx context.Context, js jetstream.JetStream, report verify.Report) error {
	if a.isAlone() {
		return nil
	}
	head, err := a.store.Head(ctx)
	if err != nil {
		return err
	}
	var last int64
	level, err := soon(ctx, func() (bool, error) {
		stream, err := js.Stream(ctx, envelope.Stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return head.Position == 0, nil // The relay makes it.
		}
		if err != nil {
			return false, err
		}
		last = int64(stream.CachedInfo().State.LastSeq)
		return last >= head.Position, nil
	})
	if err == nil && !level {
		report(fmt.Sprintf("positions %d to %d are not published", last+1, head.Position))
	}
	return err
}

// verifyReadModels compares the read models with others, made from the history for the purpose.
func verifyReadModels(ctx context.Context, a *app, report verify.Report) (string, error) {
	if err := a.verifyProjected(ctx, report); err != nil {
		return "", err
	}
	v, err := projections.Verify(ctx, a.newProjector(nil, nil))
	for _, d := range v.Differences {
		report(d.String())
	}
	for _, p := range v.Parked {
		report(fmt.Sprintf("%s is parked at position %d: %s", p.Stream, p.Position, p.Error))
	}
	if v.Stale {
		report("some read models stand still until they are rebuilt")
	}
	if v.Forked != nil {
		report(v.Forked.Error())
	}
	return fmt.Sprintf("%d tables at position %d", len(v.Tables), v.Position), err
}

// verifyProjected finds read models that do not get to where the history ended at first.
func (a *app) verifyProjected(ctx context.Context, report verify.Report) error {
	if a.isAlone() {
		return nil
	}
	at, head, err := a.level(ctx)
	if err != nil {
		return err
	}
	level, err := soon(ctx, func() (is bool, err error) {
		at, _, err = a.level(ctx)
		return at.Position >= head, err
	})
	if err == nil && !level {
		report(fmt.Sprintf("the read models are at position %d, and do not show what follows up to %d", at.Position, head))
	}
	return err
}

// levelTime is how long what follows the history may take to have followed it.
const levelTime = 5 * time.Second

// soon asks until it is so, and answers false when it is not in time.
func soon(ctx context.Context, is func() (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, levelTime)
	defer cancel()
	err := poll(ctx, is)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	return err == nil, err
}

// How many findings of one check are printed; the others are counted.
const maxFindings = 20

var errFindings = errors.New("something is wrong, or could not be checked")

// Run runs the checks one after the other. What could not be checked is no success: whoever relies on
// the exit code must be able to.
func (c verifyCmd) Run(ctx context.Context, s *Settings, std streams) error {
	wanted, err := c.wanted()
	if err != nil {
		return err
	}
	return s.with(ctx, std, func(a *app) error {
		if err := a.lookVault(ctx); err != nil {
			return err
		}
		good := true
		for _, one := range wanted {
			good = one.print(ctx, a, std.out) && good
		}
		if !good {
			return errFindings
		}
		return nil
	})
}

func (c verifyCmd) wanted() ([]check, error) {
	var names []string
	for _, one := range checks {
		names = append(names, one.name)
	}
	for _, name := range c.Only {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no check %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(checks), func(one check) bool {
		return len(c.Only) > 0 && !slices.Contains(c.Only, one.name)
	}), nil
}

// print runs a check, prints what it finds as it finds it, and tells whether all is well.
func (c check) print(ctx context.Context, a *app, out io.Writer) bool {
	found := 0
	checked, err := c.run(ctx, a, func(finding string) {
		if found++; found <= maxFindings {
			fmt.Fprintf(out, "%s: WRONG: %s\n", c.name, finding)
		}
	})
	if found > maxFindings {
		fmt.Fprintf(out, "%s: WRONG: and %d more\n", c.name, found-maxFindings)
	}
	if err != nil {
		fmt.Fprintf(out, "%s: NOT CHECKED: %v\n", c.name, err)
	} else {
		fmt.Fprintf(out, "%s: %s; %d findings\n", c.name, checked, found)
	}
	return found == 0 && err == nil
}

func (a *app) verifier() verify.Verifier {
	sealed := a.sealedAfter
	if !a.sealed {
		sealed = math.MaxInt64
	}
	return verify.Verifier{Store: a.store, Vault: a.vault, Sealed: sealed, Aggregates: a.aggregates, Claims: a.hasher}
}
