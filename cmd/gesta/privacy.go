package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"gesta/commands"
	"gesta/domain/id"
	"gesta/domain/privacy"
)

// privacyCmd is about one person's data.
type privacyCmd struct {
	Forget  privacyForget  `cmd:"" help:"Make all that is kept about a person unreadable for ever, and print a signed receipt. A second time prints the same one."`
	Hold    privacyHold    `cmd:"" help:"Refuse to forget a person, until it is released."`
	Release privacyRelease `cmd:"" help:"End a hold."`
	Export  privacyExport  `cmd:"" help:"Print all that is kept about a person, as JSON."`
	Reindex privacyReindex `cmd:"" help:"Find again, from the history, which streams hold whom."`
}

type (
	privacyForget struct {
		Subject subject `required:"" help:"The person's id, as a UUID or a ULID."`
	}
	privacyHold struct {
		Subject subject `required:"" help:"The person's id, as a UUID or a ULID."`
		Reason  string  `required:"" help:"Why; it is sealed like all that is about the person."`
	}
	privacyRelease struct {
		Subject subject `required:"" help:"The person's id, as a UUID or a ULID."`
	}
	privacyExport struct {
		Subject subject `required:"" help:"The person's id, as a UUID or a ULID."`
	}
	privacyReindex struct {
		Sealed bool `help:"Say that whatever follows is sealed, since the last process has ended that wrote in clear: 'gesta verify' finds what is not."`
	}
)

// subject is a person's id in either spelling.
type subject struct{ privacy.SubjectID }

func (s *subject) UnmarshalText(text []byte) (err error) {
	if s.ID, err = id.ParseUUID(string(text)); err != nil {
		s.ID, err = id.Parse(string(text))
	}
	if err != nil || s.IsZero() {
		return fmt.Errorf("%q is no id: a UUID or a ULID", text)
	}
	return nil
}

// withPrivacy opens what decides about persons' data.
func (s *Settings) withPrivacy(ctx context.Context, std streams, do func(context.Context, *app) error) error {
	return s.with(ctx, std, func(a *app) error {
		if err := a.openExecutor(ctx); err != nil {
			return err
		}
		return do(as(ctx, "", "cli"), a)
	})
}

// Run forgets somebody.
func (c privacyForget) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withPrivacy(ctx, std, func(ctx context.Context, a *app) error {
		receipt, err := a.privacy.Forget(ctx, c.Subject.SubjectID)
		if err != nil {
			return err
		}
		return a.printReceipt(ctx, std, receipt)
	})
}

// Run holds somebody's data.
func (c privacyHold) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withPrivacy(ctx, std, func(ctx context.Context, a *app) error {
		return a.privacy.Hold(ctx, c.Subject.SubjectID, c.Reason)
	})
}

// Run lets somebody be forgotten again.
func (c privacyRelease) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withPrivacy(ctx, std, func(ctx context.Context, a *app) error {
		return a.privacy.Release(ctx, c.Subject.SubjectID)
	})
}

// Run prints what is kept.
func (c privacyExport) Run(ctx context.Context, s *Settings, std streams) error {
	return s.withPrivacy(ctx, std, func(ctx context.Context, a *app) error {
		all, err := a.privacy.Export(ctx, c.Subject.SubjectID)
		if err != nil {
			return err
		}
		return printJSON(std.out, all)
	})
}

func printJSON(out io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", text)
	}
	return err
}

// printReceipt also says if readers still see the person: nothing projects, or it lags.
func (a *app) printReceipt(ctx context.Context, std streams, receipt commands.SignedForgetting) error {
	if err := printJSON(std.out, receipt); err != nil || a.isAlone() {
		return err
	}
	var f commands.Forgetting
	if err := json.Unmarshal(receipt.Receipt, &f); err != nil {
		return err
	}
	var last int64
	for _, e := range f.Events {
		position, err := strconv.ParseInt(e.Position, 10, 64)
		if err != nil {
			return err
		}
		last = max(last, position)
	}
	level, err := soon(ctx, func() (bool, error) {
		at, _, err := a.level(ctx)
		return at.Position >= last, err
	})
	if err != nil || !level {
		fmt.Fprintf(std.err, "the read models are behind, and may show this person until they are at position %d: see 'gesta projections status'\n", last)
	}
	return nil
}

// Run walks the history.
func (c privacyReindex) Run(ctx context.Context, s *Settings, std streams) error {
	return s.with(ctx, std, func(a *app) error {
		if err := a.openVault(ctx); err != nil {
			return err
		}
		head, err := a.store.Head(ctx)
		if err != nil {
			return err
		}
		added, err := a.reindex(ctx, head.Position)
		if err == nil && c.Sealed {
			err = a.store.BeginSealing(ctx, head.Position, true)
		}
		if err == nil {
			fmt.Fprintf(std.out, "%d events, %d streams that were not known to hold somebody\n", head.Position, added)
		}
		return err
	})
}
