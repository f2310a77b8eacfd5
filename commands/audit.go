package commands

import (
	"context"

	"gesta/domain"
	"gesta/domain/audit"
	"gesta/domain/identity"
	"gesta/domain/privacy"
)

// Audit is what auditors can ask for, each with the fact that they did.
type Audit struct {
	Executor *Executor
	Privacy  *Privacy
}

// Read notes that somebody reads a part of the history, before he does: the first time in each minute of his session.
// Where it can't be noted he must not read.
func (a *Audit) Read(ctx context.Context, by identity.Caller, part audit.Part, inClear bool) error {
	cmd := audit.ReadHistory{Reader: by.User, Session: by.Session, Part: part, InClear: inClear, At: a.Executor.Now()}
	known, err := State[audit.Readings](remembering(ctx), a.Executor, cmd.Target())
	if err != nil {
		return err
	}
	if facts, err := cmd.Decide(known); err != nil || len(facts) == 0 {
		return err
	}
	_, err = Execute(Aside(ctx), a.Executor, cmd)
	return err
}

// Export answers all that is kept about a person, once it is noted. It refuses with privacy.ErrSubjectUnknown.
func (a *Audit) Export(ctx context.Context, by identity.Caller, subject privacy.SubjectID) (x Exported, err error) {
	if x, err = a.Privacy.Export(ctx, subject); err != nil {
		return x, err
	}
	return x, a.note(ctx, audit.ExportSubject{Subject: subject, Reader: by.User})
}

// SubjectKey answers the key that a person's data is sealed under, 32 bytes for AES-256-GCM, once it is noted. It refuses
// with privacy.ErrSubjectUnknown and domain.ErrForgotten.
func (a *Audit) SubjectKey(ctx context.Context, by identity.Caller, subject privacy.SubjectID) (key []byte, err error) {
	key, is, err := a.Executor.Vault.Keys.Reveal(ctx, subject.ID)
	switch {
	case err != nil:
		return nil, unavailable(err)
	case !is:
		return nil, privacy.ErrSubjectUnknown
	case key == nil:
		return nil, domain.ErrForgotten
	}
	return key, a.note(ctx, audit.GiveSubjectKey{Subject: subject, Reader: by.User})
}

func (a *Audit) note(ctx context.Context, cmd domain.Command[audit.Subject]) error {
	_, err := Execute(Aside(ctx), a.Executor, cmd)
	return err
}
