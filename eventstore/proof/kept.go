package proof

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"gesta/eventstore"
)

// KeptCheckpoint was signed once and kept elsewhere.
type KeptCheckpoint struct {
	Line   int // of the file it stands in
	Origin string
	tlog.Tree
}

// compareKept says which of the kept checkpoints are not of this history, and narrows down where that begins: of each
// origin for itself, since another one is chosen where history was lost.
func (w *audit) compareKept(ctx context.Context) error {
	var origins []string
	for _, k := range w.Kept {
		if !slices.Contains(origins, k.Origin) {
			origins = append(origins, k.Origin)
		}
	}
	for _, origin := range origins {
		if err := w.compareOrigin(ctx, origin); err != nil {
			return err
		}
	}
	return nil
}

func (w *audit) compareOrigin(ctx context.Context, origin string) error {
	good := int64(0)
	for i, k := range w.Kept {
		if k.Origin != origin {
			continue
		}
		if i < len(w.met) && w.met[i] {
			good = k.N
			continue
		}
		lost, err := w.lost(ctx, k.N)
		if err != nil {
			return err
		}
		w.say("the checkpoint of %d events (line %d) %s%s%s", k.N, k.Line, w.wrong(i, good), w.others(origin, i+1), lost)
		return nil
	}
	return nil
}

// wrong says what is the matter with a kept checkpoint, of which it is known up to where the history is as it was.
func (w *audit) wrong(kept int, good int64) string {
	switch {
	case kept < len(w.met):
		return "is not of this history: " + positions(good+1, w.Kept[kept].N, "is", "or some of them are") + " changed"
	case w.stopped:
		return fmt.Sprintf("reaches beyond position %d, where the missing ones begin", w.end+1)
	}
	return fmt.Sprintf("reaches beyond the history, which ends at position %d: its tail was cut", w.end)
}

func (w *audit) others(origin string, from int) string {
	n := 0
	for _, k := range w.Kept[from:] {
		if k.Origin == origin {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d later ones were not looked into", n)
}

// lost names the event by which the store says itself that it has lost some of so many events.
func (w *audit) lost(ctx context.Context, events int64) (string, error) {
	const page = 1000
	for after := int64(0); ; after += page {
		rows, err := w.Store.ReadStream(ctx, eventstore.EpochStream, after, page)
		if err != nil {
			return "", err
		}
		for _, r := range rows {
			var fork eventstore.EpochForked
			if json.Unmarshal(r.Data, &fork) == nil && fork.CommonPosition < events && r.Position > fork.CommonPosition {
				return fmt.Sprintf("; %s at position %d says that what lay beyond position %d was lost", r.Type, r.Position, fork.CommonPosition), nil
			}
		}
		if len(rows) < page {
			return "", nil
		}
	}
}
