package projections

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Rebuilds are the requests to build the read models anew. Whichever projector leads does them, one after
// the other.
type Rebuilds struct {
	DB     querier // a pool, say
	Schema string  // of the truth
}

// RebuildState is how far a rebuild has come.
type RebuildState string

// The states there are; the last three are ends.
const (
	Requested RebuildState = "requested"
	Filling   RebuildState = "filling"   // the new read models from the history
	Comparing RebuildState = "comparing" // them with the old ones
	Done      RebuildState = "done"      // the new ones are read
	Different RebuildState = "different" // the old ones are read, for the new ones differ
	Failed    RebuildState = "failed"    // the old ones are read
)

// Ended tells that nothing more will be done.
func (s RebuildState) Ended() bool { return s == Done || s == Different || s == Failed }

// Rebuild is a request and what became of it.
type Rebuild struct {
	ID          int64
	RequestedAt time.Time
	Replace     bool // differences are no reason to keep the old read models
	State       RebuildState
	Position    int64 // up to which the new read models are filled
	Target      int64 // where the history ended then
	Detail      RebuildDetail
}

// RebuildDetail is why the old read models are still read.
type RebuildDetail struct {
	Error       string       `json:"error,omitempty"`
	Differences []Difference `json:"differences,omitempty"` // the first ones
}

// Request asks for a rebuild and answers its number. With replace the old read models are given up
// whatever they hold, which is how those of another history are healed.
func (r Rebuilds) Request(ctx context.Context, replace bool) (id int64, err error) {
	err = r.DB.QueryRow(ctx, `insert into `+r.table()+` (replace) values ($1) returning id`, replace).Scan(&id)
	return id, err
}

// Get answers one rebuild.
func (r Rebuilds) Get(ctx context.Context, id int64) (Rebuild, error) {
	found, ok, err := r.first(ctx, `where id = $1`, id)
	if err == nil && !ok {
		err = pgx.ErrNoRows
	}
	return found, err
}

// Last answers the newest rebuild, if there is any.
func (r Rebuilds) Last(ctx context.Context) (Rebuild, bool, error) {
	return r.first(ctx, `order by id desc`)
}

const unfinished = `state in ('requested', 'filling', 'comparing')`

// next answers the oldest request that is to be done.
func (r Rebuilds) next(ctx context.Context) (Rebuild, bool, error) {
	return r.first(ctx, `where `+unfinished+` order by id`)
}

func (r Rebuilds) first(ctx context.Context, which string, args ...any) (Rebuild, bool, error) {
	rows, _ := r.DB.Query(ctx, `select id, requested_at, replace, state, position, target, detail
		from `+r.table()+` `+which+` limit 1`, args...) // An error of Query comes again when the rows are read.
	one, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Rebuild])
	if errors.Is(err, pgx.ErrNoRows) {
		return one, false, nil
	}
	return one, err == nil, err
}

// need asks for a rebuild by rules with a fingerprint, unless one is to be done anyway, or one by these
// rules has ended in vain since the last that was put in place.
func (r Rebuilds) need(ctx context.Context, by string, vain ...RebuildState) error {
	_, err := r.DB.Exec(ctx, `insert into `+r.table()+` (replace, fingerprint) select false, $1
		where not exists (select from `+r.table()+` where `+unfinished+` or fingerprint = $1 and state = any ($2)
			and id > (select coalesce(max(id), 0) from `+r.table()+` where state = 'done'))`,
		by, vain)
	return err
}

// note writes down how far a rebuild has come, and answers errMoved when it was ended meanwhile. In a
// transaction it keeps everybody else from ending it.
func (r Rebuilds) note(ctx context.Context, one Rebuild, by string) error {
	detail, err := json.Marshal(one.Detail)
	if err != nil {
		return err
	}
	tag, err := r.DB.Exec(ctx, `update `+r.table()+` set state = $2, position = $3, target = $4, detail = $5, fingerprint = $6,
		updated_at = now() where id = $1 and `+unfinished, one.ID, string(one.State), one.Position, one.Target, detail, by)
	if err == nil && tag.RowsAffected() == 0 {
		err = errMoved
	}
	return err
}

func (r Rebuilds) table() string { return pgx.Identifier{r.Schema, "rebuilds"}.Sanitize() }
