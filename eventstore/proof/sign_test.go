package proof_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gesta/eventstore"
	"gesta/eventstore/postgres/pgtest"
	"gesta/eventstore/proof"
	"gesta/eventstore/wait"
)

// Somebody who may do everything in the database, and has no key.
const (
	changed = `update events set data = '{"n":"forged"}' where position = 600; delete from checkpoints where follower = 'proof'; truncate proof_tiles; `
	reset   = changed + `update proof_log set size = 0, signed = 0, checkpoint = ''`
)

// fileOf has a log keep what it signs, as processes do.
func (h *house) fileOf(l *proof.Log, file proof.File) *proof.Log {
	h.Helper()
	signed := l.Signed
	l.File, l.Signed = file, func(c proof.Checkpoint) {
		if err := file.Append(c); err != nil {
			h.Error(err)
		}
		signed(c)
	}
	return l
}

func (h *house) newFile() proof.File {
	return proof.File(filepath.Join(h.TempDir(), "checkpoints"))
}

// What was signed binds whoever has signed it, whatever the database says.
func TestWhatWasSignedIsRemembered(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(h *house, older proof.Checkpoint){
		"reset": func(h *house, _ proof.Checkpoint) { h.exec(reset) },
		"an older note": func(h *house, older proof.Checkpoint) {
			h.exec(changed + "update proof_log set size = 0")
			h.exec("update proof_log set signed = $1, checkpoint = $2", older.N, older.Text)
		},
		"cut off": func(h *house, older proof.Checkpoint) {
			h.exec("delete from events where position > 650; " + reset)
			h.exec("update proof_log set signed = $1, checkpoint = $2", older.N, older.Text)
		},
		"all is cut off": func(h *house, _ proof.Checkpoint) {
			h.exec("delete from events where position > 1; " + reset)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			file := h.newFile()
			l := h.fileOf(h.log(), file)
			stop := h.run(h.scribe(l))
			h.grow(500)
			h.level()
			h.grow(200)
			h.level()
			told := h.checkpoints()
			stop()
			harm(h, told[0])
			again := h.run(h.scribe(l)) // The process goes on, though it has led anew.
			h.refuses(l)
			again()
			fresh := h.fileOf(h.log(), file) // Another has the file alone.
			h.run(h.scribe(fresh))
			h.refuses(fresh)
			if now := h.checkpoints(); len(now) != len(told) {
				t.Errorf("%d checkpoints are signed", len(now)-len(told))
			}
		})
	}
}

// Tiles that come to the old root where one looks for it, and to another further on, are not signed.
func TestTilesThatContradictThemselvesAreNotSigned(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(700)
	h.prove()
	h.grow(100)
	h.prove()
	h.exec("create table was as select * from proof_log")
	older := h.checkpoints()[0]
	h.exec("update proof_tiles set hashes = set_byte(hashes, 70, 255 - get_byte(hashes, 70)) where level = 1") // Of tile 2, which 700 events don't fill.
	h.exec("update proof_log set signed = $1, checkpoint = $2", older.N, older.Text)
	l := h.log()
	h.run(h.scribe(l))
	wait.Until(t, "it is not signed", func() bool { return l.Status().Err != nil })
	if err := l.Status().Err; !errors.Is(err, proof.ErrDamaged) && !errors.Is(err, proof.ErrOtherHistory) || len(h.checkpoints()) != 2 {
		t.Error(err)
	}
}

// Whoever loses events on purpose goes on under another name: nobody signs two histories under one.
func TestAnotherOriginBeginsAnew(t *testing.T) {
	t.Parallel()
	h := open(t)
	file := h.newFile()
	l := h.fileOf(h.log(), file)
	stop := h.run(h.scribe(l))
	h.grow(600)
	h.level()
	h.grow(100)
	h.level()
	stop()
	h.exec("delete from events where position > 650; " + reset)
	first := h.checkpoints()
	h.key, h.size = keyOf(t, "gesta-2", 'a'), 650
	renamed := h.fileOf(h.log(), file)
	end := h.run(h.scribe(renamed))
	h.level()
	end() // By then it has told of what it has signed.
	if now := h.checkpoints(); now[len(now)-1].Origin != "gesta-2" || now[len(now)-1].N != 650 {
		t.Error(now)
	}
	h.isWell()
	h.key = keyOf(t, "gesta", 'a') // Who takes the old name again is bound by it.
	old := h.fileOf(h.log(), file)
	h.run(h.scribe(old))
	h.refuses(old)
	if now := h.checkpoints(); len(now) != len(first)+1 {
		t.Error(now)
	}
}

// A key that is another than the one that has signed signs nothing under its name.
func TestAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	file := h.newFile()
	stop := h.run(h.scribe(h.fileOf(h.log(), file)))
	h.grow(10)
	h.level()
	stop()
	h.key = keyOf(t, "gesta", 'b')
	refused := func(l *proof.Log) {
		t.Helper()
		end := h.run(h.scribe(l))
		h.refuses(l)
		end()
	}
	refused(h.log()) // The row tells.
	h.exec("update proof_log set signed = 0, checkpoint = ''")
	refused(h.fileOf(h.log(), file)) // The file does.
	if n := len(h.checkpoints()); n != 1 {
		t.Errorf("%d checkpoints are signed", n)
	}
	h.key = keyOf(t, "gesta-2", 'b')
	h.run(h.scribe(h.fileOf(h.log(), file)))
	h.level()
	h.isWell()
}

// What another process makes of another history, up to the same size, is not gone on with.
func TestAnEdgeIsForgottenWithItsTurn(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.log()
	stop := h.run(h.scribe(a))
	h.grow(100)
	h.level()
	stop()
	h.exec("delete from events where position > 90; delete from checkpoints where follower = 'proof'; truncate proof_tiles; delete from proof_log")
	h.size = 90
	h.grow(10)
	h.prove()
	h.isWell()
	h.run(h.scribe(a))
	h.grow(5)
	h.grown()
	h.refuses(a)
	for _, f := range h.audit() {
		if strings.Contains(f, "tile") {
			t.Error(f)
		}
	}
}

// A process that finds all signed knows how far, and asks no more.
func TestAnIdleLogKnowsHowFarItIsSigned(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(300)
	h.prove()
	l := h.log()
	h.run(h.scribe(l))
	wait.Until(t, "it knows", func() bool { return l.Status().Signed == h.size })
	if s := l.Status(); s.Count != 0 || s.Err != nil {
		t.Error(s)
	}
}

// Who crashes between storing and telling leaves it to the next one, which tells of nothing that the file has.
func TestWhatNobodyWasToldOfIsToldByTheNext(t *testing.T) {
	t.Parallel()
	h := open(t)
	mute := h.log()
	mute.Signed = nil
	stop := h.run(h.scribe(mute))
	h.grow(10)
	wait.Until(t, "it is signed", func() bool { return mute.Status().Signed == h.size })
	stop()
	file := h.newFile()
	h.run(h.scribe(h.fileOf(h.log(), file)))
	h.level()
	h.grow(10)
	h.level()
	want := h.checkpoints()
	if len(want) != 2 || want[0].N != 10 {
		t.Fatal(want)
	}
	again := h.fileOf(h.log(), file)
	again.Signed = func(c proof.Checkpoint) { t.Error("the file has it:", c.N) }
	end := h.run(h.scribe(again))
	wait.Until(t, "it knows", func() bool { return again.Status().Signed == h.size })
	end()
}

// Who is stopped as he stores a checkpoint tells of it first.
func TestWhoIsStoppedTellsOfWhatIsStored(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(10)
	ctx, stop := context.WithCancel(t.Context())
	l, done := h.log(), make(chan error, 1)
	tx, err := h.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := h.scribe(l)
	wrote := s.Wrote
	s.Wrote = func(ctx context.Context, at eventstore.Mark) error { // It is written: what is yet to come is the signature.
		if _, err := tx.Exec(t.Context(), "select from proof_log for update"); err != nil {
			return err
		}
		return wrote(ctx, at)
	}
	go func() { done <- s.Run(ctx) }()
	watcher := pgtest.Connect(t, h.owner.Config().ConnString())
	wait.Until(t, "it is about to store it", func() bool {
		var waits bool
		err := watcher.QueryRow(t.Context(), "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')").Scan(&waits)
		return err == nil && waits
	})
	stop()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	at, err := proof.ReachOf(t.Context(), h.store.Pool())
	if told := h.checkpoints(); err != nil || at.Signed != h.size || len(told) != 1 || told[0].N != h.size {
		t.Error(at, told, err)
	}
}

// The tail of the file says what was signed last, whatever else stands there.
func TestTheLastOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoints")
	file := proof.File(path)
	if text, err := file.Last("gesta"); text != "" || err != nil {
		t.Error("of no file:", text, err)
	}
	key, other := keyOf(t, "gesta", 'a'), keyOf(t, "700", 'b')
	one := signed(t, key, 700)
	if err := file.Append(one); err != nil {
		t.Fatal(err)
	}
	last := func(want string) {
		t.Helper()
		if text, err := file.Last("gesta"); text != want || err != nil {
			t.Errorf("%q %v", text, err)
		}
	}
	last(one.Text)
	for n := range int64(1000) {
		if err := os.WriteFile(path, append(read(t, path), (signed(t, other, n+1).Text+"\n")...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	last(one.Text)
	whole := read(t, path)
	for cut := range len(one.Text) {
		if err := os.WriteFile(path, append(bytes.Clone(whole), signed(t, key, 800).Text[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := file.Last("gesta"); err != nil || text != one.Text && !opens(key, text) {
			t.Fatalf("cut at %d: %q %v", cut, text, err)
		}
	}
	two := signed(t, key, 800)
	if err := file.Append(two); err != nil {
		t.Fatal(err)
	}
	last(two.Text)
	if text, err := file.Last("700"); err != nil || !strings.HasPrefix(text, "700\n1000\n") {
		t.Error(text, err)
	}
	if _, err := proof.File(t.TempDir()).Last("gesta"); err == nil {
		t.Error("a folder is read")
	}
}

func opens(key proof.Key, text string) bool {
	_, err := key.Open(text)
	return err == nil
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
