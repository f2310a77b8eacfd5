package eventstore

import (
	"context"

	"gesta/domain"
	"gesta/domain/id"
)

// EpochForked says that the store was found to lack events that had been published, since it was
// restored from an older backup: whatever stands after the common position belongs to the new epoch,
// so that epoch and position name one event for ever. Positions and epochs are strings, as in the
// envelope.
type EpochForked struct {
	Epoch          int64    `json:"epoch,string" privacy:"public"`
	Before         int64    `json:"before,string" privacy:"public"`
	CommonPosition int64    `json:"common_position,string" privacy:"public"` // 0 when nothing is common
	CommonEvent    id.Event `json:"common_event" privacy:"public"`
	LostPosition   int64    `json:"lost_position,string" privacy:"public"` // where the lost history ended; 0 when nobody knew
	LostEvent      id.Event `json:"lost_event" privacy:"public"`
}

func (EpochForked) EventType() string { return "store.epoch.forked" }

// Types are the events that a store tells about itself.
var Types = []domain.Type{domain.TypeOf[EpochForked]()}

var catalogue = domain.NewCatalogue(Types)

// EpochStream is where every EpochForked of a store stands.
var EpochStream = domain.Stream{Kind: "store.epoch", ID: id.Named("store.epoch")}

// Common is the last event that the lost history and this one share.
func (f EpochForked) Common() Mark { return Mark{Position: f.CommonPosition, Event: f.CommonEvent} }

// Lost is where the lost history ended. A message that was none of ours has no event.
func (f EpochForked) Lost() Mark { return Mark{Position: f.LostPosition, Event: f.LostEvent} }

// Epochs tells to which epoch a position belongs. The zero Epochs are those of a store that was never
// restored, all of which is in epoch 1.
type Epochs struct{ forks []EpochForked }

// LoadEpochs reads what the store tells about itself.
func LoadEpochs(ctx context.Context, s Store) (Epochs, error) {
	const page = 1000
	var all []Recorded
	for {
		some, err := s.ReadStream(ctx, EpochStream, int64(len(all)), page)
		if err != nil {
			return Epochs{}, err
		}
		if all = append(all, some...); len(some) < page {
			return EpochsOf(all)
		}
	}
}

// EpochsOf reads them out of the events of EpochStream.
func EpochsOf(events []Recorded) (e Epochs, err error) {
	for _, r := range events {
		fact, err := catalogue.Decode(r.Type, r.Schema, r.Data, r.Secret, nil)
		if err != nil {
			return Epochs{}, err
		}
		e.forks = append(e.forks, fact.(EpochForked))
	}
	return e, nil
}

// At is the epoch of a position: that of the last fork whose common position lies before it. Each epoch
// is greater than those before, so no earlier fork could say more.
func (e Epochs) At(position int64) int64 {
	for i := len(e.forks) - 1; i >= 0; i-- {
		if e.forks[i].CommonPosition < position {
			return e.forks[i].Epoch
		}
	}
	return 1
}

// Current is the epoch of whatever is appended next.
func (e Epochs) Current() int64 {
	if last, forked := e.Last(); forked {
		return last.Epoch
	}
	return 1
}

// Last is the latest fork; there is none in a store that was never restored.
func (e Epochs) Last() (f EpochForked, forked bool) {
	if len(e.forks) == 0 {
		return EpochForked{}, false
	}
	return e.forks[len(e.forks)-1], true
}

// Facts is how many forks there were.
func (e Epochs) Facts() int64 { return int64(len(e.forks)) }

// Know tells whether r is no news about epochs.
func (e Epochs) Know(r Recorded) bool {
	return r.Stream != EpochStream || r.Version <= e.Facts()
}
