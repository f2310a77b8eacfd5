package proof_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/domain/id"
	"gesta/eventstore"
	"gesta/eventstore/proof"
)

// size of the history that is damaged: a whole tile of level 1 would take 65,536.
const damaged = 1100

// flip changes a byte of a hash.
func flip(where string) string {
	return "update proof_tiles set hashes = set_byte(hashes, 32 * 5 + 3, 255 - get_byte(hashes, 32 * 5 + 3)) where " + where
}

// Whatever is done behind the back of the triggers is found and named, and nothing else is.
func TestEachDamageIsNamed(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(700)
	h.prove()
	h.grow(damaged - 700)
	h.prove()
	h.isWell()
	h.exec("create table kept_events as select * from events; create table kept_tiles as select * from proof_tiles; create table kept_log as select * from proof_log")
	forged, err := keyOf(t, "gesta", 'b').Sign(tlog.Tree{N: damaged})
	if err != nil {
		t.Fatal(err)
	}
	other, err := h.key.Sign(tlog.Tree{N: damaged})
	if err != nil {
		t.Fatal(err)
	}
	whole := h.tiles()
	for name, d := range map[string]struct {
		do    string
		finds []string
	}{
		"a byte of data":    {`update events set data = replace(data::text, '"300"', '"301"')::json where position = 300`, []string{"position 300 is changed"}},
		"a space":           {`update events set data = replace(data::text, ', ', ',')::json where position = 300`, []string{"position 300 is changed"}},
		"a byte of secrets": {`update events set secret = '"secret 301"' where position = 300`, []string{"position 300 is changed"}},
		"metadata":          {`update events set metadata = '{}' where position = 1`, []string{"position 1 is changed"}},
		"a microsecond":     {`update events set occurred_at = occurred_at + interval '1 microsecond' where position = 1100`, []string{"position 1100 is changed"}},
		"an actor's type":   {`update events set type = 'a.thing.else' where position in (256, 257)`, []string{"position 256 is changed", "position 257 is changed"}},
		"one deleted":       {`delete from events where position = 300`, []string{"position 300 is missing"}},
		"some deleted":      {`delete from events where position between 200 and 600`, []string{"positions 200 to 600 are missing"}},
		"the first deleted": {`delete from events where position = 1`, []string{"position 1 is missing"}},
		"deleted, changed":  {`delete from events where position = 300; update events set metadata = '{}' where position = 302`, []string{"position 300 is missing", "position 302 is changed"}},
		"two swapped": {
			`update events set position = 5000 where position = 10; update events set position = 10 where position = 900; update events set position = 900 where position = 5000`,
			[]string{"position 10 is changed", "position 900 is changed"},
		},
		"neighbours swapped": {
			`update events set position = 5000 where position = 10; update events set position = 10 where position = 11; update events set position = 11 where position = 5000`,
			[]string{"positions 10 to 11 are changed"},
		},
		"the tail is cut": {`delete from events where position > 1000`, []string{"positions 1001 to 1100 are missing: the history ends at 1000"}},
		"all is cut":      {`delete from events`, []string{"positions 1 to 1100 are missing: the history ends at 0"}},
		"the tail is cut and changed": {
			`delete from events where position > 1050; update events set metadata = '{}' where position = 1040`,
			[]string{"positions 1051 to 1100 are missing: the history ends at 1050", "position 1040 is changed"},
		},
		"the tail is cut with its tiles": {
			`delete from events where position > 768; delete from proof_tiles where tile > 2; update proof_tiles set hashes = substr(hashes, 1, 96) where level = 1; update proof_log set size = 768`,
			[]string{"the log has 768 of the 1100 events that were signed: its tail was cut, or it is being made anew"},
		},
		"forged":           {`update proof_log set checkpoint = $1`, []string{"the checkpoint is forged: it is not signed by this key"}},
		"another root":     {`update proof_log set checkpoint = $2`, []string{"the root of the first 1100 events is not the one that was signed: events and hashes were changed together, or another history was signed"}},
		"nonsense":         {`update proof_log set checkpoint = 'nonsense'`, []string{"the checkpoint is none: proof: no checkpoint"}},
		"none":             {`update proof_log set checkpoint = ''`, []string{"no checkpoint is signed, though the log has 1100 events"}},
		"another number":   {`update proof_log set signed = 700`, []string{"the checkpoint stands for 1100 events, and is kept as one of 700"}},
		"a tile of leaves": {flip("level = 0 and tile = 1"), []string{"tile 1 of level 0 of hashes is damaged; it stands for positions 262 to 262, whose events are as they were signed"}},
		"the last tile":    {flip("level = 0 and tile = 4"), []string{"tile 4 of level 0 of hashes is damaged; it stands for positions 1030 to 1030, whose events are as they were signed"}},
		"an upper tile":    {"update proof_tiles set hashes = set_byte(hashes, 40, 255 - get_byte(hashes, 40)) where level = 1", []string{"tile 0 of level 1 of hashes is damaged; it stands for positions 257 to 512, whose events are as they were signed"}},
		"a tile is gone":   {"delete from proof_tiles where level = 0 and tile = 0", []string{"tile 0 of level 0 of hashes is missing; it stands for positions 1 to 256, whose events are as they were signed"}},
		"a tile is short":  {"update proof_tiles set hashes = substr(hashes, 1, 64) where level = 0 and tile = 4", []string{"tile 4 of level 0 of hashes is damaged; it stands for positions 1027 to 1100, whose events are as they were signed"}},
		"an event and its tile's hash": {
			`update events set metadata = '{}' where position = 262; ` + flip("level = 0 and tile = 1"),
			[]string{"position 262 is not what the hashes in tile 1 of level 0 say: which of them was changed can't be told"},
		},
		"an event, and another tile": {
			`update events set metadata = '{}' where position = 300; ` + flip("level = 0 and tile = 2"),
			[]string{"position 300 is changed", "tile 2 of level 0 of hashes is damaged; it stands for positions 518 to 518, whose events are as they were signed"},
		},
		"an event, without a checkpoint": {
			`update events set metadata = '{}' where position = 300; update proof_log set checkpoint = $1`,
			[]string{"the checkpoint is forged: it is not signed by this key", "position 300 is changed"},
		},
	} {
		for _, one := range strings.Split(d.do, "; ") {
			var args []any
			switch {
			case strings.Contains(one, "$1"):
				args = append(args, forged.Text)
			case strings.Contains(one, "$2"):
				one, args = strings.Replace(one, "$2", "$1", 1), append(args, other.Text)
			}
			h.exec(one, args...)
		}
		if found := h.audit(); !slices.Equal(found, d.finds) {
			t.Errorf("%s: found %q, want %q", name, found, d.finds)
		}
		h.exec("truncate events, proof_tiles, proof_log; insert into events select * from kept_events; insert into proof_tiles select * from kept_tiles; insert into proof_log select * from kept_log")
	}
	h.isWell()
	if h.tiles() != whole {
		t.Error("the tiles are others")
	}
}

// remade is the log as somebody would make it who may do anything but sign.
func (h *house) remade() {
	h.Helper()
	h.exec("truncate proof_tiles; update proof_log set size = 0; delete from checkpoints")
	l := h.log()
	l.Key = keyOf(h.T, "gesta", 'x') // It would not sign, either.
	stop := h.run(h.scribe(l))
	defer stop()
	for {
		at, err := proof.ReachOf(h.Context(), h.store.Pool())
		if err != nil || at.Size == h.size {
			return
		}
	}
}

// Who changes events and tiles together is found by what was signed, and by each checkpoint that was kept.
func TestWhatWasKeptNarrowsItDown(t *testing.T) {
	t.Parallel()
	h := open(t)
	var kept []proof.KeptCheckpoint
	for _, events := range []int{300, 200, 400, 100} {
		h.grow(events)
		h.prove()
	}
	for i, c := range h.checkpoints() {
		kept = append([]proof.KeptCheckpoint{{Line: 1 + 6*i, Origin: c.Origin, Tree: c.Tree}}, kept...) // In any order.
	}
	h.isWell(kept...)
	h.exec("update events set metadata = '{}' where position = 600")
	h.remade()
	const root = "the root of the first 1000 events is not the one that was signed: events and hashes were changed together, or another history was signed"
	if found := h.audit(); !slices.Equal(found, []string{root}) {
		t.Errorf("found %q", found)
	}
	narrow := "the checkpoint of 900 events (line 13) is not of this history: positions 501 to 900 or some of them are changed; 1 later ones were not looked into"
	if found := h.audit(kept...); !slices.Equal(found, []string{narrow, root}) {
		t.Errorf("found %q", found)
	}
}

// A tail that is cut with everything that tells of it is found by a checkpoint that was kept elsewhere.
func TestACutTailIsFoundByWhatWasKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(600)
	h.prove()
	h.exec("create table kept_tiles as select * from proof_tiles; create table kept_log as select * from proof_log")
	h.grow(200)
	h.prove()
	kept := h.checkpoints()
	h.exec("truncate proof_tiles, proof_log; insert into proof_tiles select * from kept_tiles; insert into proof_log select * from kept_log")
	h.exec("delete from events where position > 600")
	h.isWell()
	h.isWell(proof.KeptCheckpoint{Line: 1, Tree: kept[0].Tree})
	want := "the checkpoint of 800 events (line 7) reaches beyond the history, which ends at position 600: its tail was cut"
	if found := h.audit(proof.KeptCheckpoint{Line: 7, Tree: kept[1].Tree}); !slices.Equal(found, []string{want}) {
		t.Errorf("found %q", found)
	}
	h.grow(400) // Somebody goes on as if nothing had been.
	h.size = 1000
	h.remade()
	found := h.audit(proof.KeptCheckpoint{Line: 1, Tree: kept[0].Tree}, proof.KeptCheckpoint{Line: 7, Tree: kept[1].Tree})
	want = "the checkpoint of 800 events (line 7) is not of this history: positions 601 to 800 or some of them are changed"
	if !slices.Equal(found, []string{want}) {
		t.Errorf("found %q", found)
	}
}

// What changes together with the tile below but not with those above is named as far as it can be.
func TestAnEventChangedWithItsTile(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(damaged)
	h.prove()
	h.exec("create table kept_tiles as select * from proof_tiles")
	h.exec("update events set metadata = '{}' where position = 300")
	h.remade()
	h.exec("update proof_tiles as t set hashes = k.hashes from kept_tiles as k where k.level = t.level and k.tile = t.tile and t.level = 1")
	want := "positions 257 to 512 or some of them are changed, together with the hashes that stand for them"
	if found := h.audit(); !slices.Equal(found, []string{want}) {
		t.Errorf("found %q", found)
	}
}

func TestAnAuditOfNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.isWell()
}

// A position is as large as somebody wants: what lies between is not made up.
func TestAnAuditEndsAtAnyGap(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.grow(300)
	h.prove()
	last := proof.KeptCheckpoint{Line: 1, Origin: "gesta", Tree: h.checkpoints()[0].Tree}
	h.exec("update events set position = 1000000000000 where position = 300; update proof_log set size = 1000000000000")
	want := []string{
		"positions 300 to 999999999999 are missing: what follows them was not looked into",
		"the checkpoint of 300 events (line 1) reaches beyond position 300, where the missing ones begin",
	}
	if found := h.audit(last); !slices.Equal(found, want) {
		t.Errorf("found %q", found)
	}
	h.exec("delete from events where position > 299")
	if found := h.audit(); !slices.Equal(found, []string{"positions 300 to 1000000000000 are missing: the history ends at 299"}) {
		t.Errorf("found %q", found)
	}
}

// What was signed of a history that was lost does not hold, and it is said which event owns to that.
func TestWhatWasLostOnPurposeIsNamed(t *testing.T) {
	t.Parallel()
	h := open(t)
	var kept []proof.KeptCheckpoint
	for _, events := range []int{600, 100} {
		h.grow(events)
		h.prove()
	}
	h.exec("delete from events where position > 650; delete from proof_tiles; delete from proof_log; delete from checkpoints")
	h.size, h.key = 650, keyOf(t, "gesta-2", 'a')
	data, err := json.Marshal(eventstore.EpochForked{Epoch: 2, Before: 1, CommonPosition: 650})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	fork := eventstore.Write{Stream: eventstore.EpochStream, Events: []eventstore.NewEvent{{
		ID: id.Event{ID: id.New(now)}, Type: eventstore.EpochForked{}.EventType(), Schema: 1, OccurredAt: now, Data: data, Meta: []byte(`{}`),
	}}}
	if _, err := h.store.Append(t.Context(), eventstore.Append{Writes: []eventstore.Write{fork}}); err != nil {
		t.Fatal(err)
	}
	h.size++
	h.grow(49) // As many as there were.
	h.prove()
	h.grow(10)
	h.prove()
	for i, c := range h.checkpoints() {
		kept = append(kept, proof.KeptCheckpoint{Line: 1 + 6*i, Origin: c.Origin, Tree: c.Tree})
	}
	want := "the checkpoint of 700 events (line 7) is not of this history: positions 601 to 700 or some of them are changed; store.epoch.forked at position 651 says that what lay beyond position 650 was lost"
	if found := h.audit(kept...); !slices.Equal(found, []string{want}) {
		t.Errorf("found %q", found)
	}
	h.isWell(kept[2:]...)
}
