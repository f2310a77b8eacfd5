package proof

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// KeptCheckpoint was signed once and kept elsewhere.
type KeptCheckpoint struct {
	Line int // of the file it stands in
	tlog.Tree
}

// compareKept says which of the kept checkpoints are not of this history, and narrows down where that begins.
func (w *audit) compareKept() {
	good := int64(0)
	for i, met := range w.met {
		if met {
			good = w.Kept[i].N
			continue
		}
		w.say("the checkpoint of %d events (line %d) is not of this history: %s changed%s", w.Kept[i].N, w.Kept[i].Line,
			positions(good+1, w.Kept[i].N, "is", "or some of them are"), w.others(i+1))
		return
	}
	if beyond := len(w.met); beyond < len(w.Kept) {
		w.say("the checkpoint of %d events (line %d) reaches beyond the history, which ends at position %d: its tail was cut%s",
			w.Kept[beyond].N, w.Kept[beyond].Line, w.end, w.others(beyond+1))
	}
}

func (w *audit) others(from int) string {
	if n := len(w.Kept) - from; n > 0 {
		return fmt.Sprintf("; %d later ones were not looked into", n)
	}
	return ""
}
