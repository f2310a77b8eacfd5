// Command gesta is an event-sourced backend in one binary: `gesta dev` runs everything on this machine,
// `gesta serve` runs against a Postgres and a NATS of your own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the process at once.
	out := &output{file: os.Stdout}
	err := run(ctx, os.Args[1:], streams{os.Stdin, out, os.Stderr})
	if err == nil {
		err = out.err
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gesta:", err)
		os.Exit(1)
	}
}

// output is a file that remembers what could not be written: what nobody was told is no success.
type output struct {
	file *os.File
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil {
		o.err = err
	}
	return n, err
}

func (o *output) isTerminal() bool {
	info, err := o.file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// streams are where a command reads from and writes to.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// cli is every command with its flags.
type cli struct {
	Settings

	Dev         devCmd         `cmd:"" help:"Run everything on this machine: a private Postgres, NATS, demo data, all roles."`
	Serve       serveCmd       `cmd:"" help:"Run against a Postgres and a NATS of your own."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the schema of the truth up, down, or say where it is."`
	Admin       adminCmd       `cmd:"" help:"Make administrators."`
	Events      eventsCmd      `cmd:"" help:"Print the history as it is published, one event a line."`
	Docs        docsCmd        `cmd:"" help:"Print the documents that programs are made from, as they are served."`
	Privacy     privacyCmd     `cmd:"" help:"Forget a person, keep a person's data, or print all of it."`
	Keys        keysCmd        `cmd:"" help:"Change the master key, or forget again after a restore."`
	Projections projectionsCmd `cmd:"" help:"Say where the read models are, or build them anew."`
	Bench       benchCmd       `cmd:"" help:"Measure this machine: gesta against what Postgres, pgx and Echo can do without it."`
	Audit       auditCmd       `cmd:"" help:"Prove that the history is the one that was signed, here or far away."`
	Verify      verifyCmd      `cmd:"" help:"Check that the history is whole and that what is kept beside it agrees; 1 when something is wrong."`
	Seed        seedCmd        `cmd:"" help:"Put in the demo data; a second time changes nothing."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// errDone ends a command that has printed what was asked, such as its help.
var errDone = errors.New("done")

// run runs one command line; ctx ends it.
func run(ctx context.Context, args []string, s streams) (err error) {
	var c cli
	defer func() {
		if p := recover(); p == errDone {
			err = nil
		} else if p != nil {
			panic(p)
		}
	}()
	parser, err := newParser(&c, kong.Writers(s.out, s.err), kong.Exit(func(int) { panic(errDone) }))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(&c.Settings, s)
}

func newParser(c *cli, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append(options, kong.Name("gesta"),
		kong.Description("An event-sourced business backend that serves documented REST APIs from one history."))...)
}
